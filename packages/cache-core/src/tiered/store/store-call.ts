import { isThenable } from '@millrace/kit'
import type { Expiring } from '../../load/deadlines.ts'

/** A call that did not end yet. */
export interface PendingCall extends Expiring {
  readonly promise: Promise<unknown>
}

/** Who is told that a call is over. */
export interface CallHost {
  onEnd(call: PendingCall, failed: boolean, error: unknown): void
}

/** What a {@link StoreCall} is made of. */
export interface PendingCallOptions<T, R> {
  /** ms on the clock of its deadline. */
  readonly started: number
  /** Makes of the answer what the caller gets; what it throws is the failure of the call. */
  readonly take: (answer: T) => R
  readonly host: CallHost
  /** Told when a call that was given up ends after all. */
  readonly late: (() => void) | undefined
}

/** One call of a store, with a deadline: it has one end, whatever the store does then. */
export class StoreCall<T, R> implements PendingCall {
  declare readonly awaited: boolean
  declare readonly started: number
  declare readonly promise: Promise<R>
  readonly #options: PendingCallOptions<T, R>
  readonly #resolve: (result: R) => void
  readonly #reject: (error: unknown) => void
  #over = false
  #answered = false

  constructor(options: PendingCallOptions<T, R>) {
    const { promise, resolve, reject } = Promise.withResolvers<R>()
    this.#options = options
    this.awaited = true
    this.started = options.started
    this.promise = promise
    this.#resolve = resolve
    this.#reject = reject
  }

  begin(work: () => T | PromiseLike<T>): void {
    try {
      const answer = work()
      if (isThenable(answer)) {
        answer.then(
          value => this.#succeed(value),
          error => this.#fail(error),
        )
      } else this.#succeed(answer)
    } catch (error) {
      this.#fail(error)
    }
  }

  abort(reason: unknown): void {
    if (this.#over) return
    this.#end(true, reason)
    this.#reject(reason)
  }

  #succeed(answer: T): void {
    if (this.#isLate()) return
    let result: R
    try {
      result = this.#options.take(answer)
    } catch (error) {
      this.#end(true, error)
      this.#reject(error)
      return
    }
    this.#end(false, undefined)
    this.#resolve(result)
  }

  #fail(error: unknown): void {
    if (this.#isLate()) return
    this.#end(true, error)
    this.#reject(error)
  }

  /** Whether it was given up, or answers again: thenables of others may. */
  #isLate(): boolean {
    const again = this.#answered
    this.#answered = true
    if (this.#over && !again) this.#options.late?.()
    return this.#over || again
  }

  #end(failed: boolean, error: unknown): void {
    this.#over = true
    this.#options.host.onEnd(this, failed, error)
  }
}
