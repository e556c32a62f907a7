import { BucketTable } from '../../keyed/bucket-table.ts'
import type { Decision } from '../../limiter/rate-limiter.ts'
import { SLACK } from '../../wait/slack.ts'

export interface LocalShareOptions {
  readonly rate: number
  readonly burst: number
  readonly maxKeys: number
  /** Among how many processes a bucket is divided. */
  processes(): number
}

const NONE_PINNED = { has: () => false }

/**
 * This process' share of buckets in the store, for when that is away. While it is there the share follows what it answers, so
 * that an outage begins with what the bucket had left then, not with another burst.
 *
 * Kept as virtual times (see {@link Gcra}) of the whole bucket: a share refills so many times slower, and its burst is so many
 * times smaller, that the time in which it fills is the same, and with it the time that is kept.
 */
export class LocalShare {
  readonly #table: BucketTable
  readonly #interval: number
  readonly #burst: number
  readonly #processes: () => number

  constructor({ rate, burst, maxKeys, processes }: LocalShareOptions) {
    this.#table = new BucketTable(maxKeys)
    this.#interval = 1_000 / rate
    this.#burst = burst
    this.#processes = processes
  }

  /** The most a share can hold: one that no longer held one call would stop a process altogether. */
  get burst(): number {
    return Math.max(Math.min(1, this.#burst), this.#burst / this.#processes())
  }

  /** Notes what the store has answered. @param available tokens of the whole bucket, below 0 if they are reserved ahead */
  follow(key: string, available: number, now: number): void {
    if (available >= this.#burst - 1e-9) this.#table.delete(key)
    else this.#table.slots[this.#place(key, now)] = now - available * this.#interval
  }

  tryTake(key: string, cost: number, now: number): boolean {
    const next = this.#next(key, cost, now)
    if (next > now + SLACK) return false
    this.#table.slots[this.#place(key, now)] = next
    return true
  }

  waitFor(key: string, cost: number, now: number): number {
    return Math.max(0, this.#next(key, cost, now) - now)
  }

  refund(key: string, cost: number): void {
    const place = this.#table.find(key)
    if (place !== undefined) this.#table.slots[place]! -= cost * this.#perToken
  }

  decide(key: string, cost: number, now: number): Decision {
    const allowed = this.tryTake(key, cost, now)
    const available = (now - this.#next(key, 0, now)) / this.#perToken
    return {
      allowed,
      limit: this.burst,
      remaining: Math.max(0, available),
      resetAfter: Math.max(0, (this.burst - available) * this.#perToken),
      retryAfter: allowed ? 0 : this.waitFor(key, cost, now),
    }
  }

  get #perToken(): number {
    return this.#interval * this.#processes()
  }

  #next(key: string, cost: number, now: number): number {
    const full = now - this.burst * this.#perToken
    const place = this.#table.find(key)
    const slot = place === undefined ? full : Math.max(this.#table.slots[place]!, full)
    return slot + cost * this.#perToken
  }

  #place(key: string, now: number): number {
    const full = now - this.burst * this.#perToken
    return this.#table.find(key) ?? this.#table.add(key, full, NONE_PINNED)
  }
}
