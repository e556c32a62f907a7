/** A place in a distributed semaphore, renewed until it is released. */
export class RedisPermit {
  /** How long the caller waited for it, in ms. */
  readonly waited: number
  /** Grows with every permit of the semaphore: what is guarded can refuse a holder that was overtaken. */
  readonly fence: number
  /** Aborts with {@link LeaseLostError} when the place was lost: stop what it guards. */
  readonly signal: AbortSignal
  #release: (() => Promise<void>) | undefined

  /** @internal */
  constructor(fence: number, waited: number, signal: AbortSignal, release: () => Promise<void>) {
    this.fence = fence
    this.waited = waited
    this.signal = signal
    this.#release = release
  }

  /** Gives the place back. Does nothing the second time. Never fails: what Redis does not hear of ends by itself. */
  async release(): Promise<void> {
    const release = this.#release
    this.#release = undefined
    await release?.()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }
}
