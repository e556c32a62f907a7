const SUCCESS_SHARE = 0.1

/**
 * Stops retries to one host while it keeps failing, whatever the budget says: a count of tokens and no
 * clock (gRPC proposal A6, "Throttling Retry Attempts and Hedged RPCs").
 */
export class HostBrake {
  readonly #limit: number
  #tokens: number

  constructor(limit: number) {
    this.#limit = limit
    this.#tokens = limit
  }

  get tokens(): number {
    return this.#tokens
  }

  get allowsRetry(): boolean {
    return this.#tokens > this.#limit / 2
  }

  succeeded(): void {
    if (this.#tokens < this.#limit) {
      this.#tokens = Math.min(this.#limit, this.#tokens + SUCCESS_SHARE)
    }
  }

  failed(): void {
    if (this.#tokens > 0) this.#tokens = Math.max(0, this.#tokens - 1)
  }
}
