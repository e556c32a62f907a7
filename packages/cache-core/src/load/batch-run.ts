import { LoadResultError } from '../errors.ts'
import type { Flight } from './flight.ts'
import type { BatchContext, BatchLoader, BatchResult } from './load-many.ts'
import { LoadRun } from './load-run.ts'
import type { Loaded } from './loaded.ts'
import type { Loads } from './loads.ts'

/** What a batch loader says of one key: its value, its failure, or nothing. */
export type BatchItem<V> = V | Loaded<V> | Error | undefined

/** The call of a loader for many keys, each with a flight of its own. */
export class BatchRun<K, V> extends LoadRun<BatchResult<K, V>> implements BatchContext<K, V> {
  readonly #loads: Loads<K, V>
  readonly #flights: ReadonlyMap<K, Flight<K, V>>
  readonly #loader: BatchLoader<K, V>

  /** @param duration ms after which the run fails */
  constructor(
    loads: Loads<K, V>,
    flights: readonly Flight<K, V>[],
    loader: BatchLoader<K, V>,
    duration: number,
  ) {
    super(loads.clock.now(), loads.deadlines, duration, flights.length)
    this.#loads = loads
    this.#flights = new Map(flights.map(flight => [flight.key, flight]))
    this.#loader = loader
    for (const flight of flights) flight.run = this
  }

  /** A function of its own, so that a loader may take it out of its context. */
  readonly stale = (key: K): V | undefined => this.#flights.get(key)?.stale

  protected override keys(): readonly K[] {
    return [...this.#flights.keys()]
  }

  protected override call(): BatchResult<K, V> | PromiseLike<BatchResult<K, V>> {
    const loader = this.#loader
    return loader(this.keys(), this)
  }

  protected override succeeded(result: BatchResult<K, V>): void {
    const loads = this.#loads
    let items: readonly BatchItem<V>[]
    try {
      items = itemsOf(result, this.keys())
    } catch (error) {
      this.failed(error)
      return
    }
    loads.count(true, this.started)
    let index = 0
    for (const flight of this.#flights.values()) {
      const item = items[index++]
      if (item instanceof Error) loads.fail(flight, item)
      else if (item === undefined) loads.miss(flight)
      else loads.arrive(flight, item)
    }
  }

  protected override failed(error: unknown): void {
    this.#loads.count(false, this.started)
    for (const flight of this.#flights.values()) this.#loads.fail(flight, error)
  }
}

/**
 * The result of a batch loader, one item per key.
 *
 * @throws {LoadResultError} unless it is a `Map` or an array of that many.
 */
export function itemsOf<K, V>(result: BatchResult<K, V>, keys: readonly K[]): BatchItem<V>[] {
  if (result instanceof Map) return keys.map(key => result.get(key))
  if (Array.isArray(result) && result.length === keys.length) return result
  throw new LoadResultError(
    `a Map or an array of ${keys.length}, as it was given ${keys.length} keys`,
    result,
  )
}
