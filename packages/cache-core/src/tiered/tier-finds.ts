import { type Cache, internalsOf } from '../cache/cache.ts'
import { PartialLoadError } from '../errors.ts'
import type { Flight } from '../load/flight.ts'
import type { LoadOptions } from '../load/load-options.ts'
import type { Loads } from '../load/loads.ts'
import type { TierLoad } from './load/tier-load.ts'

/**
 * How values are found: there is no loader to serve a stale value in place of, and the time-out of loads is none of a read of the store,
 * which has its own.
 */
const FRESH_ONLY: LoadOptions = { staleWhileRevalidate: 0, staleIfError: 0, hardTimeout: Infinity }

/** A read of the second tier beside a load of the key. */
interface ReadAside<V> {
  /** Of the tag table, when it began. */
  readonly epoch: number
  readonly value: Promise<V | undefined>
}

/** How values are found without a loader: fresh in the first tier, else in the second, which is then kept in the first. */
export class TierFinds<V> {
  readonly #l1: Cache<string, V>
  readonly #load: TierLoad<V>
  readonly #loads: Loads<string, V>
  /** The read that is shared by those who ask while the same load may be joined, so that none of them gets what was invalidated before. */
  readonly #asides = new WeakMap<Flight<string, V>, ReadAside<V>>()

  constructor(l1: Cache<string, V>, load: TierLoad<V>) {
    this.#l1 = l1
    this.#load = load
    this.#loads = internalsOf(l1).loads
  }

  /** As {@link getMany}. */
  async get(key: string): Promise<V | undefined> {
    if (this.#l1.has(key)) return this.#l1.get(key)
    try {
      return (await this.getMany([key])).get(key)
    } catch (error) {
      throw error instanceof PartialLoadError ? error.cause : error
    }
  }

  /**
   * The fresh values of `keys`, each given once. What is being loaded is read from the second tier as it is: no load of somebody else is
   * waited for, nor is its failure one of this call.
   */
  async getMany(keys: readonly string[]): Promise<Map<string, V>> {
    const free: string[] = []
    const loading: Flight<string, V>[] = []
    for (const key of keys) {
      const flight = this.#l1.has(key) ? undefined : this.#loads.joinable(key)
      if (flight === undefined) free.push(key)
      else loading.push(flight)
    }
    const finding = this.#l1.getOrLoadMany(free, missing => this.#load.find(missing), FRESH_ONLY)
    if (loading.length === 0) return finding
    const [found, aside] = await Promise.all([finding, this.#readAside(loading)])
    const results = new Map<string, V>()
    for (const key of keys) {
      const value = found.get(key) ?? aside.get(key)
      if (value !== undefined) results.set(key, value)
    }
    return results
  }

  /** The fresh values of the second tier for keys that are being loaded, those that are not being read yet by one call. */
  async #readAside(flights: readonly Flight<string, V>[]): Promise<Map<string, V>> {
    const { epoch } = this.#loads.tags
    const unread = flights.filter(flight => this.#asides.get(flight)?.epoch !== epoch)
    if (unread.length !== 0) {
      const reading = this.#load.find(unread.map(({ key }) => key))
      for (const [index, flight] of unread.entries()) {
        const aside = { epoch, value: reading.then(found => found[index]?.value) }
        this.#asides.set(flight, aside)
        const forget = (): void => {
          if (this.#asides.get(flight) === aside) this.#asides.delete(flight)
        }
        aside.value.then(forget, forget)
      }
    }
    const values = new Map<string, V>()
    await Promise.all(
      flights.map(async flight => {
        // Counts the miss.
        this.#l1.get(flight.key)
        const value = await this.#asides.get(flight)!.value
        if (value !== undefined) values.set(flight.key, value)
      }),
    )
    return values
  }
}
