/** What one process tells the others about entries that changed. Never carries values, so it can arrive twice or late. */
export interface Invalidation {
  /** `delete`: gone; `expire`: stale. */
  readonly verb: 'delete' | 'expire'
  readonly target: 'key' | 'tag' | 'pattern' | 'all'
  /** The key, the tag or the pattern; empty for `all`. */
  readonly name: string
}

/** Who is told of invalidations. What it throws concerns no other listener. */
export interface BusListener {
  /** Others published these, in the order in which each of them did. */
  onInvalidations(invalidations: readonly Invalidation[]): void
  /** Some may have been lost, for instance as the connection was down: nothing held from before can be trusted until it is read anew. */
  onGap(): void
}

/** Carries invalidations between the first tiers of several processes. */
export interface InvalidationBus {
  /**
   * Sends to every other bus on the channel; the listeners of this one are not called. Resolves when the message was
   * handed over, which is no proof that it arrived; rejects if it certainly was not.
   */
  publish(invalidations: readonly Invalidation[]): Promise<void>
  /**
   * Whether the store itself publishes here what its calls invalidate, in one step with it. Then only the rest is published: patterns,
   * and what the store failed to do. Asked once for each cache. Default: it does not.
   */
  carries?(store: unknown): boolean
  /** @returns a function that ends the subscription */
  subscribe(listener: BusListener): () => void
}
