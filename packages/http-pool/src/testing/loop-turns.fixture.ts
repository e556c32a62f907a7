const REMEMBERED = 8

/** When the event loop has come by its timers: the measure of what a timer can keep. */
export class LoopTurns {
  /** The longest time between two turns, in ms. */
  longest = 0
  #last: number = performance.now()
  /** When the latest ones began, oldest first. */
  readonly #turns: number[] = []
  #immediate: NodeJS.Immediate | undefined
  #timer: NodeJS.Timeout | undefined

  constructor() {
    this.#wait()
  }

  /**
   * Turns that began after a deadline, by `performance.now()`, up to {@link REMEMBERED}: the loop reads its clock once in a turn, and
   * a timer that becomes due while callbacks of that turn run is left to the next. A timer of Node has a grain of a millisecond, and
   * may have to be set once more where it came early: turns of the first 2 ms do not count.
   */
  since(deadline: number): number {
    return this.#turns.filter(turn => turn >= deadline + 2).length
  }

  close(): void {
    clearImmediate(this.#immediate)
    clearTimeout(this.#timer)
  }

  #wait(): void {
    this.#immediate = setImmediate(() => {
      const start = performance.now()
      this.#timer = setTimeout(() => {
        const now = performance.now()
        this.longest = Math.max(this.longest, now - this.#last)
        this.#last = now
        this.#turns.push(start)
        if (this.#turns.length > REMEMBERED) this.#turns.shift()
        this.#wait()
      }, 1)
    })
  }
}
