/** The right to load a key, until it is released or runs out. */
export interface LeaseHold {
  /** Lets the next one have it. Never rejects. */
  release(): Promise<void>
}

/** Lets one process of many load a key, while the others wait for what it stores. */
export interface LoadLease {
  /**
   * Resolves with the hold if the key is free now. Otherwise waits until its holder lets go, or for as long as the lease
   * thinks fit, and resolves with `undefined`: then the value should be in the store.
   */
  acquire(
    key: string,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<LeaseHold | undefined>
}
