import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'

/** How often it is looked, in ms. */
const INTERVAL = 5

/** Watches for how long this process and its Redis stood still: by so much more what passes may be told late. */
export class Standstill implements AsyncDisposable {
  /** The longest time without an answer of Redis, in ms. */
  longest = 0
  readonly #client: Redis
  readonly #watching: Promise<void>
  #ended = false

  constructor(client: Redis) {
    this.#client = client
    this.#watching = this.#watch()
  }

  async #watch(): Promise<void> {
    for (let last = performance.now(); !this.#ended; ) {
      await sleep(INTERVAL)
      await this.#client.ping()
      const now = performance.now()
      this.longest = Math.max(this.longest, now - last - INTERVAL)
      last = now
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true
    await this.#watching
  }
}
