import { tellListener } from '../../tell-listener.ts'
import type { BusListener, Invalidation } from './invalidation-bus.ts'

/**
 * The listeners of a bus, each told whatever another one does: what one throws is a warning of the process (`ListenerError`), and neither
 * ends the bus nor keeps anything from the others. For buses of one's own, as for those of this family.
 */
export class BusListeners implements BusListener {
  readonly #all = new Set<BusListener>()

  get size(): number {
    return this.#all.size
  }

  /** @returns a function that takes it out again */
  add(listener: BusListener): () => void {
    this.#all.add(listener)
    return () => void this.#all.delete(listener)
  }

  clear(): void {
    this.#all.clear()
  }

  onInvalidations(invalidations: readonly Invalidation[]): void {
    for (const listener of this.#all) {
      tellListener('onInvalidations', () => listener.onInvalidations(invalidations))
    }
  }

  onGap(): void {
    for (const listener of this.#all) tellListener('onGap', () => listener.onGap())
  }
}
