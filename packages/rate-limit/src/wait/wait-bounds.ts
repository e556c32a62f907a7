import type { Ranked } from './line/ranked-heap.ts'

/** What can end one wait early: a deadline, which is its rank, a signal, or both. */
export class WaitBounds<W> implements Ranked {
  index = -1
  /** The deadline, ms on the limiter's clock; Infinity for none. */
  readonly rank: number
  readonly waiter: W
  readonly signal: AbortSignal | undefined
  readonly #onAbort: (waiter: W, reason: unknown) => void

  constructor(
    waiter: W,
    deadline: number,
    signal: AbortSignal | undefined,
    onAbort: (waiter: W, reason: unknown) => void,
  ) {
    this.waiter = waiter
    this.rank = deadline
    this.signal = signal
    this.#onAbort = onAbort
    // An object with `handleEvent` is a listener too: no closure per wait.
    signal?.addEventListener('abort', this, { once: true })
  }

  handleEvent(): void {
    this.#onAbort(this.waiter, this.signal?.reason)
  }

  /** Stops listening, so that a long-lived signal keeps nothing of a finished wait. */
  release(): void {
    this.signal?.removeEventListener('abort', this)
  }
}
