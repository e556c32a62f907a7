import { BusListeners } from './bus-listeners.ts'
import type { BusListener, Invalidation, InvalidationBus } from './invalidation-bus.ts'

/** All buses of one channel in this process. */
export class MemoryChannel {
  readonly #buses = new Set<MemoryBus>()

  /** A bus as one more process would have it. */
  connect(): MemoryBus {
    const bus = new MemoryBus(this)
    this.#buses.add(bus)
    return bus
  }

  /** Delivers to all buses but `from`. */
  deliver(from: MemoryBus, invalidations: readonly Invalidation[]): void {
    for (const bus of this.#buses) if (bus !== from) bus.receive(invalidations)
  }
}

/** An {@link InvalidationBus} within one process, for several caches over one store and for tests. Delivers at once. */
export class MemoryBus implements InvalidationBus {
  readonly #channel: MemoryChannel
  readonly #listeners = new BusListeners()

  /** Made by {@link MemoryChannel.connect}. */
  constructor(channel: MemoryChannel) {
    this.#channel = channel
  }

  async publish(invalidations: readonly Invalidation[]): Promise<void> {
    this.#channel.deliver(this, invalidations)
  }

  subscribe(listener: BusListener): () => void {
    return this.#listeners.add(listener)
  }

  receive(invalidations: readonly Invalidation[]): void {
    this.#listeners.onInvalidations(invalidations)
  }

  /** Says that messages were lost, as a broken connection would. */
  breakOff(): void {
    this.#listeners.onGap()
  }
}
