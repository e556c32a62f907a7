import { isThenable, type TimeSource } from '@millrace/kit'
import type { BatchItem } from './batch-loader.ts'
import type { Deadlines, Expiring } from './deadlines.ts'
import type { Flight, FlightRun } from './flight.ts'
import { type LoadMessage, loadChannels } from './load-channels.ts'

/** Who is told how a run ends. */
export interface RunListener<K, V> {
  readonly clock: TimeSource
  readonly deadlines: Deadlines
  /** The run is over; its flights follow. `started` is ms on the clock. */
  onEnd(succeeded: boolean, started: number): void
  onItem(flight: Flight<K, V>, item: BatchItem<V>): void
  onFailure(flight: Flight<K, V>, error: unknown): void
}

/** What a {@link LoadRun} is made of. */
export interface RunOptions<K, V, R> {
  /** The keys it is for. */
  readonly flights: readonly Flight<K, V>[]
  /** ms after which it fails; Infinity = never. */
  readonly timeout: number
  /** Calls the loader. */
  readonly call: () => R | PromiseLike<R>
  /** Takes the loader's result apart, one item per flight; what it throws is the failure of all. */
  readonly itemsOf: (result: R) => readonly BatchItem<V>[]
  readonly listener: RunListener<K, V>
}

/** One call of a loader, for one key or for many: its deadline, its signal, its diagnostics, and its only end. */
export class LoadRun<K, V, R> implements Expiring, FlightRun {
  readonly started: number
  awaited = false
  calling = false
  readonly #options: RunOptions<K, V, R>
  #message: LoadMessage | undefined
  #controller: AbortController | undefined
  #abortReason: unknown
  #aborted = false
  #ended = false
  /** Callers and background work that want the result; the last one to leave aborts the call. */
  #holders: number

  constructor(options: RunOptions<K, V, R>) {
    const { flights, listener } = options
    this.#options = options
    this.started = listener.clock.now()
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
    const { call, flights, timeout, listener } = this.#options
    let result: R | PromiseLike<R>
    let pending: boolean
    this.awaited = awaited
    this.calling = true
    try {
      if (loadChannels.hasSubscribers) {
        this.#message = { keys: flights.map(flight => flight.key), awaited }
        result = loadChannels.start.runStores(this.#message, call)
      } else {
        result = call()
      }
      pending = isThenable(result)
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
    if (timeout !== Infinity && !this.#ended) listener.deadlines.add(this, timeout)
    Promise.resolve(result).then(
      value => this.#succeed(value),
      error => this.#fail(error),
    )
  }

  release(reason: unknown): void {
    if (--this.#holders === 0) this.abort(reason)
  }

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
    const { flights, itemsOf, listener } = this.#options
    let items: readonly BatchItem<V>[]
    try {
      items = itemsOf(result)
    } catch (error) {
      this.#fail(error)
      return
    }
    this.#end(true)
    for (const [index, flight] of flights.entries()) listener.onItem(flight, items[index])
  }

  #fail(error: unknown): void {
    if (this.#ended) return
    const { flights, listener } = this.#options
    if (this.#message !== undefined) this.#message.error = error
    this.#end(false)
    for (const flight of flights) listener.onFailure(flight, error)
  }

  #end(succeeded: boolean): void {
    const { timeout, listener } = this.#options
    this.#ended = true
    listener.deadlines.remove(this, timeout)
    if (this.#message !== undefined) loadChannels.end.publish(this.#message)
    listener.onEnd(succeeded, this.started)
  }
}
