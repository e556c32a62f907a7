import { BucketTable } from '../../keyed/bucket-table.ts'
import type { Decision } from '../../limiter/rate-limiter.ts'
import { GcraArithmetic } from '../../meter/gcra-arithmetic.ts'
import { SLACK } from '../../wait/slack.ts'

export interface LocalShareOptions {
  readonly rate: number
  readonly burst: number
  readonly maxKeys: number
  /** Among how many processes a bucket is divided. */
  processes(): number
  /** How often the store has gone away, and when it did last, ms on the clock. */
  outages(): { readonly outages: number; readonly awaySince: number }
  /** For how many ms ahead other processes may have reserved when it does. */
  readonly reserved: number
}

const NONE_PINNED = { has: () => false }

/**
 * This process' share of buckets in the store, for when that is away. While it is there the share follows what it answers, so
 * that an outage begins with what the bucket had left then, not with another burst.
 *
 * Kept as virtual times (see {@link GcraArithmetic}) of the whole bucket: a share refills so many times slower, and its burst is so many
 * times smaller, that the time in which it fills is the same, and with it the time that is kept.
 *
 * At the beginning of an outage its clock stands still for as long as other processes may have reserved ahead: they use that up
 * meanwhile, and this one does not know of it.
 */
export class LocalShare {
  readonly #table: BucketTable
  readonly #interval: number
  readonly #burst: number
  readonly #processes: () => number
  readonly #outages: LocalShareOptions['outages']
  readonly #reserved: number
  /** Of a share, as of how many processes it is. */
  #arithmetic: GcraArithmetic
  #divisor = 1
  #seen = 0
  /** How far its clock was behind before the last outage, when that began, and for how long it stands still then. */
  #lag = 0
  #stoodAt = -Infinity
  #hold = 0

  constructor({ rate, burst, maxKeys, processes, outages, reserved }: LocalShareOptions) {
    this.#table = new BucketTable(maxKeys)
    this.#interval = 1_000 / rate
    this.#burst = burst
    this.#arithmetic = new GcraArithmetic(this.#interval, burst)
    this.#processes = processes
    this.#outages = outages
    this.#reserved = reserved
  }

  /** The most a share can hold: one that no longer held one call would stop a process altogether. */
  get burst(): number {
    return this.#share.burst
  }

  /** Notes for how many ms more the store lets nothing pass: neither does the share then. */
  block(key: string, ms: number, at: number): void {
    const now = this.#time(at)
    if (ms > 0) this.#table.block(this.#place(key, now), now + ms)
    else if (this.#table.blockOf(key) > now) this.#table.block(this.#place(key, now), -Infinity)
  }

  /** Notes what the store has answered. @param available tokens of the whole bucket, below 0 if they are reserved ahead */
  follow(key: string, available: number, at: number): void {
    const now = this.#time(at)
    if (available >= this.#burst - 1e-9) this.#table.delete(key)
    else this.#table.slots[this.#place(key, now)] = now - available * this.#interval
  }

  tryTake(key: string, cost: number, at: number): boolean {
    const now = this.#time(at)
    const next = this.#next(key, cost, now)
    if (next > now + SLACK || this.#table.blockOf(key) > now) return false
    this.#table.slots[this.#place(key, now)] = next
    return true
  }

  /** Takes `least`, and of `most` what there is. @returns how much; 0 if that is less than the least */
  takeUpTo(key: string, least: number, most: number, at: number): number {
    const now = this.#time(at)
    const available = (now + SLACK - this.#next(key, 0, now)) / this.#share.interval
    if (available < least || this.#table.blockOf(key) > now) return 0
    const cost = Math.max(least, Math.min(most, Math.floor(available)))
    this.#table.slots[this.#place(key, now)] = this.#next(key, cost, now)
    return cost
  }

  waitFor(key: string, cost: number, at: number): number {
    const now = this.#time(at)
    const wait = Math.max(0, this.#next(key, cost, now) - now, this.#table.blockOf(key) - now)
    return wait > 0 ? wait + Math.max(0, this.#stoodAt + this.#hold - at) : 0
  }

  refund(key: string, cost: number, at: number): void {
    const place = this.#table.find(key)
    if (place === undefined) return
    const slot = this.#table.slots[place]!
    const until = this.#table.blockedUntil(place)
    this.#table.slots[place] = this.#share.refunded(slot, cost, this.#time(at), until)
  }

  decide(key: string, cost: number, at: number): Decision {
    const allowed = this.tryTake(key, cost, at)
    const now = this.#time(at)
    const slot = this.#slot(key, now)
    const blocked = this.#table.blockOf(key) > now
    const remaining = blocked ? 0 : Math.max(0, this.#share.available(slot, now))
    return {
      allowed,
      limit: this.burst,
      remaining,
      resetAfter: Math.max(this.#share.resetAfter(slot, now), this.#table.blockOf(key) - now),
      retryAfter: allowed ? 0 : this.waitFor(key, cost, at),
      nextAfter: remaining >= 1 ? 0 : this.waitFor(key, Math.min(1, this.burst), at),
    }
  }

  get #share(): GcraArithmetic {
    const processes = this.#processes()
    if (processes !== this.#divisor) {
      this.#divisor = processes
      const burst = Math.max(Math.min(1, this.#burst), this.#burst / processes)
      this.#arithmetic = new GcraArithmetic(this.#interval * processes, burst)
    }
    return this.#arithmetic
  }

  /** The time on its own clock. */
  #time(now: number): number {
    const { outages, awaySince } = this.#outages()
    if (outages !== this.#seen) {
      this.#lag += this.#stoodFor(awaySince)
      this.#seen = outages
      this.#stoodAt = awaySince
      // A process that is alone knows of all that is reserved.
      this.#hold = this.#processes() > 1 ? this.#reserved : 0
    }
    return now - this.#lag - this.#stoodFor(now)
  }

  #stoodFor(now: number): number {
    return Math.max(0, Math.min(now - this.#stoodAt, this.#hold))
  }

  #next(key: string, cost: number, now: number): number {
    return this.#share.next(this.#slot(key, now), cost, now)
  }

  #slot(key: string, now: number): number {
    return this.#table.slotOf(key, this.#share.full(now))
  }

  #place(key: string, now: number): number {
    return this.#table.find(key) ?? this.#table.add(key, this.#share.full(now), NONE_PINNED)
  }
}
