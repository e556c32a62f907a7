const REMEMBERED = 8

/** When the event loop has come by its timers: the measure of what a timer can keep. */
export class LoopTurns {
  /** The longest time between two turns, in ms. */
  longest = 0
  /** The latest ones, oldest first. */
  readonly #turns: number[] = [performance.now()]
  #timer: NodeJS.Timeout | undefined

  constructor() {
    this.#wait()
  }

  /**
   * Turns that came after a deadline, by `performance.now()`, up to {@link REMEMBERED}. A timer of Node has a grain of a millisecond,
   * and may have to be set once more where it came early: those of the first 2 ms do not count.
   */
  since(deadline: number): number {
    return this.#turns.filter(turn => turn >= deadline + 2).length
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  #wait(): void {
    this.#timer = setTimeout(() => {
      const now = performance.now()
      this.longest = Math.max(this.longest, now - this.#turns.at(-1)!)
      this.#turns.push(now)
      if (this.#turns.length > REMEMBERED) this.#turns.shift()
      this.#wait()
    }, 1)
  }
}
