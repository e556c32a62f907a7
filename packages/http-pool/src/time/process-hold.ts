const longestTimer = 2 ** 31 - 1

/**
 * Keeps the process alive while a request sleeps before its next attempt: it has no socket then, and the
 * pool's own timers do not hold the event loop.
 */
export class ProcessHold {
  #count = 0
  #timer: NodeJS.Timeout | undefined

  acquire(): void {
    if (++this.#count === 1) this.#timer = setInterval(() => {}, longestTimer)
  }

  release(): void {
    if (--this.#count === 0) clearInterval(this.#timer)
  }
}
