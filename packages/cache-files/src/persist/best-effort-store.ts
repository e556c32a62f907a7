import { hash } from 'node:crypto'
import type { Clock } from '@millrace/cache-core'
import type { Store, StoreEntry, StoreItem } from '@millrace/cache-core/store'
import { setAwaitedTimer, tell, wallClock } from '@millrace/kit'
import { FilesStoreTimeoutError } from '../errors.ts'
import type { StoredResult } from './stored-result.ts'
import { WriteBehind } from './write-behind.ts'

/** How a {@link BestEffortStore} writes. */
export interface BestEffortOptions {
  /** ms for which values wait for others to be written with them. */
  readonly writeDelay: number
  /** ms for which a value is kept after it was last of use; Infinity for as long as the store likes. */
  readonly retention: number
  /** ms that one call of the store may take. */
  readonly storeTimeout: number
  /** Told of a failure, once until the store works again. */
  readonly onStoreError: (error: unknown) => void
  readonly clock: Clock
}

/** A store that did not answer is left alone for as many times its timeout, so that not every call waits for it. */
const PAUSE = 10

/** A store that helps but is never needed: what fails in it counts as not there, and is reported once until it works again. */
export class BestEffortStore<T extends StoredResult> {
  readonly #store: Store<T>
  readonly #writes: WriteBehind<() => T>
  readonly #options: BestEffortOptions
  #broken = false
  /** On the options' clock. */
  #pausedUntil = -Infinity
  /** Calls of the store that failed. */
  failures = 0

  constructor(store: Store<T>, options: BestEffortOptions) {
    this.#store = store
    this.#options = options
    this.#writes = new WriteBehind(
      items =>
        this.#attempt(() => store.setMany(items.map(([key, make]) => this.#item(key, make)))),
      options,
    )
  }

  /** Values that are not written yet. */
  get pending(): number {
    return this.#writes.pending
  }

  /** The value of a key, one that is still to be written included. */
  async get(key: string): Promise<T | undefined> {
    const pending = this.#writes.get(key)
    if (pending !== undefined) return pending()
    const entry = await this.#attempt(() => this.#store.get(key))
    return entry && this.#used(key, entry)
  }

  /** One value or `undefined` per key. */
  async getMany(keys: readonly string[]): Promise<(T | undefined)[]> {
    const entries = await this.#attempt(() => this.#store.getMany(keys))
    return keys.map((key, index) => {
      const entry = entries?.[index]
      return entry && this.#used(key, entry)
    })
  }

  /**
   * Writes a value soon.
   *
   * @param make called when it is written; must not throw
   */
  add(key: string, make: () => T): void {
    this.#writes.add(key, make)
  }

  /** Whether a value for the key is still to be written. */
  isPending(key: string): boolean {
    return this.#writes.get(key) !== undefined
  }

  /** Forgets a value. */
  async delete(key: string): Promise<void> {
    await this.#attempt(() => this.#store.delete(key))
  }

  /** Resolves when everything added so far is written, or the store has failed. */
  flush(): Promise<void> {
    return this.#writes.flush()
  }

  /** The value of an entry, whose life begins anew when half of it is over. */
  #used(key: string, { value, expires }: StoreEntry<T>): T | undefined {
    // Damaged, or another key's, as a damaged index of the store gives: as good as not there.
    if (typeof value !== 'object' || value?.seal !== sealOf(key, value)) return undefined
    const { retention } = this.#options
    if (retention !== Infinity) {
      // On the wall clock of the process that wrote it. More than a whole life: that clock was ahead, or has been set back since.
      const left = expires - wallClock.now()
      if (left < retention / 2 || left > retention) this.add(key, () => value)
    }
    return value
  }

  #item(key: string, make: () => T): StoreItem<T> {
    const { retention } = this.#options
    const record = make()
    const value = { ...record, seal: sealOf(key, record) }
    return retention === Infinity ? { key, value } : { key, value, ttl: retention }
  }

  async #attempt<R>(call: () => Promise<R>): Promise<R | undefined> {
    if (this.#options.clock.now() < this.#pausedUntil) return undefined
    try {
      const result = await this.#inTime(call())
      this.#broken = false
      return result
    } catch (error) {
      this.failures++
      if (!this.#broken) tell(this.#options.onStoreError, error)
      this.#broken = true
      return undefined
    }
  }

  async #inTime<R>(answer: Promise<R>): Promise<R> {
    const { clock, storeTimeout } = this.#options
    const { promise, reject } = Promise.withResolvers<never>()
    const expire = (): void => {
      this.#pausedUntil = clock.now() + PAUSE * storeTimeout
      reject(new FilesStoreTimeoutError(storeTimeout))
    }
    const timer = setAwaitedTimer(clock, expire, storeTimeout)
    try {
      return await Promise.race([answer, promise])
    } finally {
      timer.cancel()
    }
  }
}

/** Ties a record to its key, so that neither damage nor a mix-up passes for a result. */
function sealOf(key: string, { seal: _, ...record }: StoredResult): string {
  return hash('sha256', JSON.stringify([key, record]), 'base64')
}
