import type { Clock } from '../../clock.ts'
import type { RedisClient } from '../client/redis-client.ts'
import { StoreGuard, type StoreGuardOptions } from '../client/store-guard.ts'
import { PEER_MEMORY } from '../outage/peers.ts'
import { debitScript, leaseScript, refundScript, reserveScript } from '../scripts/bucket-scripts.ts'

/** What a reservation came to. Times in ms. */
export interface Reservation {
  readonly granted: boolean
  /** Until its slot; if it was not granted, until it could have been. */
  readonly wait: number
  /** Tokens left; below 0 when others have reserved ahead. */
  readonly available: number
}

export interface BucketStoreOptions extends StoreGuardOptions {
  readonly client: RedisClient
  readonly name: string
  readonly clock: Clock
  readonly rate: number
  readonly burst: number
  /** The longest wait anybody may reserve, in ms. */
  readonly maxWait: number
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

  /** @param late hears of a reservation that was made when nobody waited for it any more */
  async reserve(
    key: string,
    cost: number,
    maxWait: number,
    late: () => void,
  ): Promise<Reservation> {
    const args = [...this.#span, cost * this.#interval, maxWait * 1_000]
    const reply = await this.guard.run(
      reserveScript,
      [key],
      args,
      ([granted]) => granted === 1 && late(),
    )
    const [granted, wait, credit] = reply as [number, number, number]
    return { granted: granted === 1, wait: wait / 1_000, available: credit / this.#interval }
  }

  /**
   * @param late hears of a lease that was given when nobody waited for it any more
   * @returns ms from now to the first of `count` consecutive slots, and how many processes share the limit
   */
  async lease(
    keys: readonly [bucket: string, peers: string],
    count: number,
    process: string,
    late: () => void,
  ): Promise<{ first: number; processes: number }> {
    const args = [...this.#span, this.#interval, count, process, PEER_MEMORY]
    const reply = await this.guard.run(leaseScript, keys, args, late)
    const [first, processes] = reply as [number, number]
    return { first: first / 1_000, processes }
  }

  async refund(key: string, cost: number): Promise<void> {
    await this.guard.run(refundScript, [key], [...this.#span, cost * this.#interval])
  }

  /**
   * Enters what passed without the store, as far as the bucket holds it.
   *
   * @param late hears of what was entered when nobody waited for it any more
   * @returns how much was entered
   */
  async debit(key: string, cost: number, late: (entered: number) => void): Promise<number> {
    const args = [...this.#span, cost * this.#interval]
    const toTokens = ([entered]: number[]) => entered! / 1_000 / this.#interval
    const reply = await this.guard.run(debitScript, [key], args, answer => late(toTokens(answer)))
    return toTokens(reply)
  }
}
