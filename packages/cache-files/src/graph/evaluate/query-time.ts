import type { Clock } from '@millrace/cache-core'
import { QueryTimeoutError } from '../../errors.ts'
import type { QueryTimers, Timed } from './query-timers.ts'

/** The time of its own that a query takes: while it waits for another one, its time stands still. */
export class QueryTime implements Timed {
  readonly #query: { readonly name: string; readonly timeout: number }
  readonly #clock: Clock
  readonly #timers: QueryTimers
  /** Queries it waits for. */
  #waitingFor = 0
  #taken = 0
  #since = 0
  #timedOut: ((error: Error) => void) | undefined
  #stopped = false
  /** Whether it took too long. */
  expired = false
  due: number = Infinity

  constructor(
    query: { readonly name: string; readonly timeout: number },
    clock: Clock,
    timers: QueryTimers,
  ) {
    this.#query = query
    this.#clock = clock
    this.#timers = timers
  }

  /**
   * What the query comes to, if in time.
   *
   * @throws {QueryTimeoutError}
   */
  bound<T>(whole: Promise<T>): Promise<T> {
    if (this.#query.timeout === Infinity) return whole
    return new Promise<T>((resolve, reject) => {
      this.#timedOut = reject
      whole.then(resolve, reject)
      this.#since = this.#clock.now()
      if (this.#waitingFor === 0) this.#arm()
    })
  }

  /** It waits for another query. */
  pause(): void {
    if (this.#waitingFor++ > 0 || this.#timedOut === undefined) return
    this.#timers.forget(this)
    this.#taken += this.#clock.now() - this.#since
  }

  /** That query has ended. */
  resume(): void {
    if (--this.#waitingFor > 0 || this.#timedOut === undefined) return
    this.#since = this.#clock.now()
    this.#arm()
  }

  /** Its query has ended. */
  stop(): void {
    this.#stopped = true
    if (this.#timedOut !== undefined) this.#timers.forget(this)
  }

  expire(): void {
    this.expired = true
    this.#timedOut?.(new QueryTimeoutError(this.#query.name, this.#query.timeout))
  }

  #arm(): void {
    if (this.#stopped) return
    this.due = this.#since + this.#query.timeout - this.#taken
    this.#timers.add(this)
  }
}
