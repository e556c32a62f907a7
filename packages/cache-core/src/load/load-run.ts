import type { BatchItem } from './batch-items.ts'
import type { Expiring } from './deadlines.ts'
import type { Flight } from './flight.ts'
import { type LoadMessage, loadEnd, loadStart } from './load-channels.ts'
import type { Loads } from './loads.ts'

/** What ends a {@link Flight}, as far as that needs to know. */
export type AnyRun = Pick<
  LoadRun<unknown, unknown, unknown>,
  'calling' | 'signal' | 'release' | 'retain'
>

/** One call of a loader, for one key or for many: its deadline, its signal, its diagnostics, and its only end. */
export class LoadRun<K, V, R> implements Expiring {
  readonly started: number
  /** The loader is on the stack. */
  calling = false
  readonly #loads: Loads<K, V>
  readonly #flights: readonly Flight<K, V>[]
  readonly #duration: number
  readonly #call: () => R | PromiseLike<R>
  readonly #itemsOf: (result: R) => readonly BatchItem<V>[]
  #message: LoadMessage | undefined
  #controller: AbortController | undefined
  #abortReason: unknown
  #aborted = false
  #ended = false
  /** Callers and background work that want the result; the last one to leave aborts the call. */
  #holders: number

  /**
   * @param flights the keys it is for
   * @param duration ms after which it fails; Infinity = never
   * @param itemsOf takes the loader's result apart, one item per flight; what it throws is the failure of all
   */
  constructor(
    loads: Loads<K, V>,
    flights: readonly Flight<K, V>[],
    duration: number,
    call: () => R | PromiseLike<R>,
    itemsOf: (result: R) => readonly BatchItem<V>[],
  ) {
    this.started = loads.clock.now()
    this.#loads = loads
    this.#flights = flights
    this.#duration = duration
    this.#call = call
    this.#itemsOf = itemsOf
    this.#holders = flights.length
    for (const flight of flights) flight.run = this
  }

  /** Made when first asked for: an AbortController costs more than a whole cache hit. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#aborted) this.#controller.abort(this.#abortReason)
    }
    return this.#controller.signal
  }

  /** Calls the loader. A result that is not a promise ends the run before this returns. */
  start(awaited: boolean): void {
    let result: R | PromiseLike<R>
    let pending: boolean
    this.calling = true
    try {
      if (loadStart.hasSubscribers || loadEnd.hasSubscribers) {
        this.#message = { keys: this.#flights.map(flight => flight.key), awaited }
        result = loadStart.runStores(this.#message, this.#call)
      } else {
        result = this.#call()
      }
      // May throw, as looking for `then` runs code of the result.
      pending = isPromiseLike(result)
    } catch (error) {
      this.#fail(error)
      return
    } finally {
      this.calling = false
    }
    if (!pending) {
      this.#succeed(result as R)
      return
    }
    if (this.#duration !== Infinity && !this.#ended) {
      this.#loads.deadlines.add(this, this.#duration)
    }
    Promise.resolve(result).then(
      value => this.#succeed(value),
      error => this.#fail(error),
    )
  }

  /** One of those who wanted the result wants it no more. */
  release(reason: unknown): void {
    if (--this.#holders === 0) this.abort(reason)
  }

  /** Somebody wants the result again. */
  retain(): void {
    this.#holders++
  }

  /** Ends the run with `reason` as its failure; whatever the loader does afterwards is ignored. */
  abort(reason: unknown): void {
    if (this.#ended) return
    this.#aborted = true
    this.#abortReason = reason
    this.#fail(reason)
    this.#controller?.abort(reason)
  }

  #succeed(result: R): void {
    if (this.#ended) return
    let items: readonly BatchItem<V>[]
    try {
      items = this.#itemsOf(result)
    } catch (error) {
      this.#fail(error)
      return
    }
    this.#end(true)
    for (const [index, flight] of this.#flights.entries()) {
      this.#loads.arrive(flight, items[index])
    }
  }

  #fail(error: unknown): void {
    if (this.#ended) return
    if (this.#message !== undefined) this.#message.error = error
    this.#end(false)
    for (const flight of this.#flights) this.#loads.fail(flight, error)
  }

  #end(succeeded: boolean): void {
    this.#ended = true
    if (this.#duration !== Infinity) this.#loads.deadlines.remove(this, this.#duration)
    if (this.#message !== undefined) loadEnd.publish(this.#message)
    this.#loads.count(succeeded, this.started)
  }
}

export function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return (
    value !== null &&
    (typeof value === 'object' || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  )
}
