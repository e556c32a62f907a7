import type { Flight } from './flight.ts'
import { LoadRun } from './load-run.ts'
import type { Loaded } from './loaded.ts'
import type { Loader, Loads } from './loads.ts'

/** The call of a loader for one key. */
export class SingleRun<K, V> extends LoadRun<V | Loaded<V>> {
  readonly #loads: Loads<K, V>
  readonly #flight: Flight<K, V>
  readonly #loader: Loader<K, V>

  constructor(loads: Loads<K, V>, flight: Flight<K, V>, loader: Loader<K, V>) {
    super(loads.clock.now(), loads.deadlines, flight.plan.hardDeadline, 1)
    this.#loads = loads
    this.#flight = flight
    this.#loader = loader
  }

  protected override keys(): readonly unknown[] {
    return [this.#flight.key]
  }

  protected override call(): V | Loaded<V> | PromiseLike<V | Loaded<V>> {
    const loader = this.#loader
    return loader(this.#flight)
  }

  protected override succeeded(result: V | Loaded<V>): void {
    this.#loads.count(true, this.started)
    this.#loads.arrive(this.#flight, result)
  }

  protected override failed(error: unknown): void {
    this.#loads.count(false, this.started)
    this.#loads.fail(this.#flight, error)
  }
}
