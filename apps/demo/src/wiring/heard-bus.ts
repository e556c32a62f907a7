import type { BusListener, Invalidation, InvalidationBus } from '@millrace/cache-core/tiered'

/** A bus on which somebody beside the cache hears what other processes invalidate. */
export class HeardBus implements InvalidationBus {
  readonly #bus: InvalidationBus
  #hear: ((invalidations: readonly Invalidation[]) => void) | undefined

  constructor(bus: InvalidationBus) {
    this.#bus = bus
  }

  /** From now on `hear` is told, too; at least once of each invalidation. */
  set onHeard(hear: (invalidations: readonly Invalidation[]) => void) {
    this.#hear = hear
  }

  publish(invalidations: readonly Invalidation[]): Promise<void> {
    return this.#bus.publish(invalidations)
  }

  carries(store: unknown): boolean {
    return this.#bus.carries?.(store) ?? false
  }

  /** One listener of the bus itself, as it tells one alone nothing of what that one has caused. */
  subscribe(listener: BusListener): () => void {
    return this.#bus.subscribe({
      onInvalidations: invalidations => {
        listener.onInvalidations(invalidations)
        this.#hear?.(invalidations)
      },
      onGap: () => listener.onGap(),
    })
  }
}
