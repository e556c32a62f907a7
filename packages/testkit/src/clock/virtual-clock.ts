import { setImmediate as nextTurn } from 'node:timers/promises'

/** Handle of a timer set on a {@link VirtualClock}. */
export interface VirtualTimer {
  /** Takes the timer back. Does nothing once it has run. O(log n) to find, O(n) to remove. */
  cancel(): void
}

interface Entry {
  readonly at: number
  readonly sequence: number
  readonly callback: () => void
}

/**
 * A clock that moves only when told to, in the shape of every package's `Clock`: `now` and `setTimer`.
 *
 * Timers run in order of due time, and of creation where due times are equal, as Node's do. While a timer runs, `now()`
 * is exactly its due time. A callback's error leaves `advance` at once, with the clock at that timer's time.
 */
export class VirtualClock {
  #now: number
  #sequence = 0
  /** Ascending by due time, then sequence: the next timer is the first. */
  readonly #timers: Entry[] = []

  /** @param start the first reading, in ms; default 0 */
  constructor(start = 0) {
    this.#now = start
  }

  /** The present reading in milliseconds. */
  now(): number {
    return this.#now
  }

  /** How many timers are set and have not run. */
  get pending(): number {
    return this.#timers.length
  }

  /** When the next timer is due, in ms on this clock, or `undefined` if none is set. */
  get next(): number | undefined {
    return this.#timers[0]?.at
  }

  /**
   * Runs `callback` once the clock has moved by `delay` ms.
   *
   * @param delay in ms; below 0 and NaN count as 0
   */
  setTimer(callback: () => void, delay: number): VirtualTimer {
    const entry: Entry = {
      at: this.#now + Math.max(0, delay || 0),
      sequence: this.#sequence++,
      callback,
    }
    this.#timers.splice(this.#position(entry), 0, entry)
    return {
      cancel: () => {
        const index = this.#position(entry)
        if (this.#timers[index] === entry) this.#timers.splice(index, 1)
      },
    }
  }

  /**
   * Moves the clock forward and runs the timers that fall due, those included which they set themselves.
   * Promises settled by a timer continue only after this returns: use {@link advanceAsync} where they set further timers.
   *
   * @param ms how far, at least 0
   */
  advance(ms: number): void {
    const end = this.#end(ms)
    while (this.#runNext(end)) {}
    this.#now = end
  }

  /**
   * Like {@link advance}, but lets every promise chain run to its end before the first timer, after each timer and at
   * the end, so that what was awaited has happened when this resolves. Does not wait for real I/O.
   */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.#end(ms)
    do await nextTurn()
    while (this.#runNext(end))
    this.#now = end
    await nextTurn()
  }

  /** Sets the reading without running any timer, as a correction of the system clock does; it may go backwards. */
  jumpTo(reading: number): void {
    this.#now = reading
  }

  #end(ms: number): number {
    if (!(ms >= 0)) throw new RangeError(`Expected \`ms\` to be at least 0, got ${ms}`)
    return this.#now + ms
  }

  #runNext(end: number): boolean {
    const entry = this.#timers[0]
    if (entry === undefined || entry.at > end) return false
    this.#timers.shift()
    if (entry.at > this.#now) this.#now = entry.at
    entry.callback()
    return true
  }

  /** Index of the first timer that is not before `entry`, by binary search. */
  #position(entry: Entry): number {
    let low = 0
    let high = this.#timers.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = this.#timers[middle]!
      if (other.at < entry.at || (other.at === entry.at && other.sequence < entry.sequence)) {
        low = middle + 1
      } else high = middle
    }
    return low
  }
}
