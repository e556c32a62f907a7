/** Readings of one number over time, oldest first, no longer than needed: what windows of any length are cut from. */
export class History {
  readonly #span: number
  readonly #resolution: number
  readonly #times: number[] = []
  readonly #values: number[] = []

  /**
   * @param span ms to remember
   * @param resolution ms within which only the least value is kept; 0 keeps them all
   */
  constructor(span: number, resolution = 0) {
    this.#span = span
    this.#resolution = resolution
  }

  add(time: number, value: number): void {
    const last = this.#times.length - 1
    const cell = (at: number): number => Math.floor(at / this.#resolution)
    if (this.#resolution > 0 && last >= 0 && cell(time) === cell(this.#times[last]!)) {
      if (value < this.#values[last]!) this.#values[last] = value
      return
    }
    this.#times.push(time)
    this.#values.push(value)
    // One reading beyond the span stays, so that the span is always covered.
    while (this.#times.length > 2 && this.#times[1]! <= time - this.#span) {
      this.#times.shift()
      this.#values.shift()
    }
  }

  /** The rise of a cumulative count over the last `window` milliseconds. */
  increase(window: number, now: number): number {
    const last = this.#values.at(-1)
    if (last === undefined) return 0
    // The last reading that is old enough, or the first of all.
    let from = 0
    let beyond = this.#times.length
    while (beyond - from > 1) {
      const middle = (from + beyond) >>> 1
      if (this.#times[middle]! <= now - window) from = middle
      else beyond = middle
    }
    return last - this.#values[from]!
  }

  /** The least value in each of `parts` equal parts of the span: a saw tooth's lower edge. */
  minima(parts: number, now: number): { times: number[]; values: number[] } {
    const width = this.#span / parts
    const least = new Map<number, { time: number; value: number }>()
    for (let i = 0; i < this.#times.length; i++) {
      const part = Math.floor((this.#times[i]! - (now - this.#span)) / width)
      const value = this.#values[i]!
      if (part < 0 || value >= (least.get(part)?.value ?? Infinity)) continue
      least.set(part, { time: this.#times[i]!, value })
    }
    const kept = [...least.values()].sort((a, b) => a.time - b.time)
    return { times: kept.map(({ time }) => time), values: kept.map(({ value }) => value) }
  }
}
