import type { Store } from '@millrace/cache-core/store'
import { WriteBehind } from './write-behind.ts'

/** A store that helps but is never needed: what fails in it counts as not there, and is reported once until it works again. */
export class BestEffortStore<T> {
  readonly #store: Store<T>
  readonly #writes: WriteBehind<T>
  readonly #onError: (error: unknown) => void
  #broken = false
  /** Calls of the store that failed. */
  failures = 0

  /** @param writeDelay ms for which values wait for others to be written with them */
  constructor(store: Store<T>, writeDelay: number, onError: (error: unknown) => void) {
    this.#store = store
    this.#onError = onError
    this.#writes = new WriteBehind(items => this.#attempt(() => store.setMany(items)), writeDelay)
  }

  /** Values that are not written yet. */
  get pending(): number {
    return this.#writes.pending
  }

  async get(key: string): Promise<T | undefined> {
    const entry = await this.#attempt(() => this.#store.get(key))
    return entry?.value
  }

  /** One value or `undefined` per key. */
  async getMany(keys: readonly string[]): Promise<(T | undefined)[]> {
    const entries = await this.#attempt(() => this.#store.getMany(keys))
    return entries === undefined ? keys.map(() => undefined) : entries.map(entry => entry?.value)
  }

  /** Writes a value soon. */
  add(key: string, value: T): void {
    this.#writes.add({ key, value })
  }

  /** Resolves when everything added so far is written, or the store has failed. */
  flush(): Promise<void> {
    return this.#writes.flush()
  }

  async #attempt<R>(call: () => Promise<R>): Promise<R | undefined> {
    try {
      const result = await call()
      this.#broken = false
      return result
    } catch (error) {
      this.failures++
      if (!this.#broken) this.#onError(error)
      this.#broken = true
      return undefined
    }
  }
}
