import type { Clock } from '../clock.ts'
import { debitScript, leaseScript, refundScript, reserveScript } from './bucket-scripts.ts'
import { PEER_MEMORY } from './outage/peers.ts'
import type { RedisClient } from './redis-client.ts'
import type { Script } from './script.ts'
import { StoreGuard, type StoreGuardOptions } from './store-guard.ts'

/** What a reservation came to. Times in ms. */
export interface Reservation {
  readonly granted: boolean
  /** Until its slot; if it was not granted, until it could have been. */
  readonly wait: number
  /** Tokens left; below 0 when others have reserved ahead. */
  readonly available: number
}

export interface BucketStoreOptions extends StoreGuardOptions {
  client: RedisClient
  name: string
  clock: Clock
  rate: number
  burst: number
  /** The longest wait anybody may reserve, in ms. */
  maxWait: number
}

/** Token buckets in Redis: the scripts in ms and tokens instead of microseconds. One round trip per call. */
export class BucketStore {
  readonly guard: StoreGuard
  /** Us per token. */
  readonly #interval: number
  readonly #span: readonly [burst: number, horizon: number]

  constructor({ client, name, clock, rate, burst, maxWait, ...guard }: BucketStoreOptions) {
    this.guard = new StoreGuard(client, name, clock, guard)
    this.#interval = 1e6 / rate
    const burstSpan = burst * this.#interval
    // Twice the longest wait: leases lie a little beyond what callers may wait for.
    this.#span = [burstSpan, burstSpan + 2_000 * maxWait]
  }

  async reserve(key: string, cost: number, maxWait: number): Promise<Reservation> {
    const reply = await this.#run(reserveScript, [key], cost * this.#interval, maxWait * 1_000)
    const [granted, wait, credit] = reply as [number, number, number]
    return { granted: granted === 1, wait: wait / 1_000, available: credit / this.#interval }
  }

  /** @returns ms from now to the first of `count` consecutive slots, and how many processes share the limit */
  async lease(
    keys: readonly [bucket: string, peers: string],
    count: number,
    process: string,
  ): Promise<{ first: number; processes: number }> {
    const reply = await this.#run(leaseScript, keys, this.#interval, count, process, PEER_MEMORY)
    const [first, processes] = reply as [number, number]
    return { first: first / 1_000, processes }
  }

  async refund(key: string, cost: number): Promise<void> {
    await this.#run(refundScript, [key], cost * this.#interval)
  }

  async debit(key: string, cost: number): Promise<void> {
    await this.#run(debitScript, [key], cost * this.#interval)
  }

  #run(script: Script, keys: readonly string[], ...args: (string | number)[]): Promise<number[]> {
    return this.guard.run(script, keys, [...this.#span, ...args])
  }
}
