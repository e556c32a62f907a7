import { LONGEST_DELAY } from '@millrace/kit'

/**
 * Keeps the process alive while a request sleeps before its next attempt: it has no socket then, and the
 * pool's own timers do not hold the event loop.
 */
export class ProcessHold {
  #count = 0
  #timer: NodeJS.Timeout | undefined

  acquire(): void {
    if (++this.#count === 1) this.#timer = setInterval(() => {}, LONGEST_DELAY)
  }

  release(): void {
    if (--this.#count === 0) clearInterval(this.#timer)
  }
}
