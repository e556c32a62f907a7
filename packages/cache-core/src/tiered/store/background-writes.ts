import type { StoreItem } from '../../store/contract/store.ts'
import type { BoundedStore } from './bounded-store.ts'

/** Values written by one call, at most. */
const BATCH = 64
/** Values that wait or are being written, at most; what a load brings beyond that is waited for. */
const PENDING_AT_MOST = 1_024

/**
 * Values that loads brought, on their way to the second tier behind those who waited for the loads: those of one turn of the event loop by
 * one call. Each has its fence, so that it does not matter when it is written: what was invalidated since refuses it.
 */
export class BackgroundWrites<V> {
  readonly #tier: BoundedStore<V>
  readonly #onRefused: (key: string) => void
  #waiting: StoreItem<V>[] = []
  readonly #waitingKeys = new Set<string>()
  readonly #writing = new Set<Promise<void>>()
  /** Of all that are pending, with how many times over. */
  readonly #keys = new Map<string, number>()
  #pending = 0
  #flush: NodeJS.Immediate | undefined

  /** @param onRefused told of each value that the second tier does not keep */
  constructor(tier: BoundedStore<V>, onRefused: (key: string) => void) {
    this.#tier = tier
    this.#onRefused = onRefused
  }

  /** Keys that are pending. */
  keys(): Iterable<string> {
    return this.#keys.keys()
  }

  /** Takes values to be written; `false` if too many are on their way. */
  add(items: readonly StoreItem<V>[]): boolean {
    if (this.#pending + items.length > PENDING_AT_MOST) return false
    for (const item of items) {
      this.#waiting.push(item)
      this.#waitingKeys.add(item.key)
      this.#keys.set(item.key, (this.#keys.get(item.key) ?? 0) + 1)
    }
    this.#pending += items.length
    if (this.#waiting.length >= BATCH) this.flush()
    else this.#flush ??= setImmediate(() => this.flush())
    return true
  }

  /** Sends what waits for one of `keys`, so that a read that is sent next finds it. */
  flushFor(keys: readonly string[]): void {
    if (this.#waiting.length !== 0 && keys.some(key => this.#waitingKeys.has(key))) this.flush()
  }

  /** Sends what waits. */
  flush(): void {
    clearImmediate(this.#flush)
    this.#flush = undefined
    if (this.#waiting.length === 0) return
    const items = this.#waiting
    this.#waiting = []
    this.#waitingKeys.clear()
    const writing = this.#write(items)
    this.#writing.add(writing)
    void writing.finally(() => this.#writing.delete(writing))
  }

  /** Sends what waits, and resolves when all has been answered. */
  async close(): Promise<void> {
    this.flush()
    await Promise.all(this.#writing)
  }

  /** Never rejects: a store that fails is counted, and as good as one that was never asked. */
  async #write(items: readonly StoreItem<V>[]): Promise<void> {
    const stored = await this.#tier.setMany(items)
    for (const [index, { key }] of items.entries()) {
      if (!stored[index]) this.#onRefused(key)
      const count = this.#keys.get(key)! - 1
      if (count === 0) this.#keys.delete(key)
      else this.#keys.set(key, count)
    }
    this.#pending -= items.length
  }
}
