import type { Invalidation } from '@millrace/cache-core/tiered'

/**
 * Invalidations that could not be sent, each once, to be sent when Redis is back. Beyond the limit they become one that deletes
 * everything: memory stays bounded and nothing is forgotten.
 */
export class Outbox {
  readonly #limit: number
  /** Verb by target and name. */
  readonly #waiting = new Map<string, Invalidation>()
  #everything = false

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#everything ? 1 : this.#waiting.size
  }

  add(invalidations: readonly Invalidation[]): void {
    if (this.#everything) return
    for (const invalidation of invalidations) {
      const { verb, target, name } = invalidation
      // The target has no colon, so the first one ends it.
      const key = `${target}:${name}`
      // A delete says more than an expire of the same.
      if (verb === 'delete' || this.#waiting.get(key)?.verb !== 'delete') {
        this.#waiting.set(key, invalidation)
      }
    }
    if (this.#waiting.size > this.#limit) {
      this.#everything = true
      this.#waiting.clear()
    }
  }

  /** All that waits; the outbox is empty afterwards. */
  take(): Invalidation[] {
    const all: Invalidation[] = this.#everything
      ? [{ verb: 'delete', target: 'all', name: '' }]
      : [...this.#waiting.values()]
    this.#everything = false
    this.#waiting.clear()
    return all
  }
}
