import { InvalidOptionError } from '../errors.ts'
import type { AcquireOptions } from '../limiter/rate-limiter.ts'
import { nonNegative } from '../option-checks.ts'
import type { Ranked } from './ranked-heap.ts'
import type { Waiter } from './waiter.ts'

/** What can end one wait early: a deadline, which is its rank, a signal, or both. */
export class WaitBounds implements Ranked {
  index = -1
  /** The deadline, ms on the limiter's clock; Infinity for none. */
  readonly rank: number
  readonly waiter: Waiter
  readonly signal: AbortSignal | undefined
  readonly #onAbort: (waiter: Waiter, reason: unknown) => void

  constructor(
    waiter: Waiter,
    deadline: number,
    signal: AbortSignal | undefined,
    onAbort: (waiter: Waiter, reason: unknown) => void,
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

/** @throws {InvalidOptionError} for a timeout that is none, or a signal that cannot be listened to */
export function checkBounds({ timeout, signal }: AcquireOptions): void {
  if (timeout !== undefined) nonNegative('timeout', timeout)
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    throw new InvalidOptionError('signal', 'an AbortSignal', signal)
  }
}
