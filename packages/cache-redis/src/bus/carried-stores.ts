import type { Invalidation } from '@millrace/cache-core/tiered'
import { carriersOf, linesOf } from '../protocol/store-lines.ts'
import type { BusMessage } from './bus-message.ts'

/** What a bus must know of a store whose scripts publish on its channels. */
export interface PublishingStore {
  readonly id: string
  readonly channels: readonly string[]
  publish(invalidations: readonly Invalidation[]): Promise<void>
}

/** The stores whose scripts publish on a bus what the caches that listen to it invalidate. */
export class CarriedStores {
  readonly #bus: object
  readonly #channels: string
  /** By what signs their messages. */
  readonly #stores = new Map<string, PublishingStore>()
  /** The one that was added last. */
  latest: PublishingStore | undefined

  constructor(bus: object, channels: readonly string[]) {
    this.#bus = bus
    this.#channels = channels.join()
  }

  /** Whether it publishes on these channels; from then on it belongs here. */
  add(store: unknown): boolean {
    const { id, channels } = (store ?? {}) as Partial<PublishingStore>
    if (typeof id !== 'string' || !Array.isArray(channels)) return false
    if (channels.join() !== this.#channels) return false
    this.latest = store as PublishingStore
    this.#stores.set(id, this.latest)
    carriersOf(this.latest).add(this.#bus)
    return true
  }

  /** Whether a sender is a store that caches of one bus alone have. */
  isAlone(sender: string): boolean {
    const store = this.#stores.get(sender)
    return store !== undefined && carriersOf(store).size === 1
  }

  /** They need not be asked to know how far a shard is. */
  learn(shard: number, message: BusMessage): void {
    for (const store of this.#stores.values()) linesOf(store)?.all[shard]?.learn(message)
  }

  /** No listener is left for what they do. */
  clear(): void {
    for (const store of this.#stores.values()) carriersOf(store).delete(this.#bus)
    this.#stores.clear()
  }
}
