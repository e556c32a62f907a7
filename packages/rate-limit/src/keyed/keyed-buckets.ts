import { checkNonNegative } from '@millrace/kit'
import { GcraArithmetic } from '../meter/gcra-arithmetic.ts'
import type { TokenBucketLimits } from '../meter/token-bucket-limits.ts'
import { SLACK } from '../wait/slack.ts'
import { BucketTable } from './bucket-table.ts'

/**
 * Token buckets in a table of virtual times (see {@link GcraArithmetic}) instead of one object per key: 8 bytes instead of 150.
 * A key that is not pinned may lose its place to the next new key.
 */
export class KeyedBuckets {
  readonly #table: BucketTable
  readonly #catchUp: number
  #arithmetic: GcraArithmetic

  constructor(limits: TokenBucketLimits, catchUp: number, maxKeys: number) {
    this.#catchUp = checkNonNegative('catchUp', catchUp)
    this.#arithmetic = GcraArithmetic.of(limits, catchUp)
    this.#table = new BucketTable(maxKeys)
  }

  /** Tokens per second and key. */
  get rate(): number {
    return this.#arithmetic.rate
  }

  get burst(): number {
    return this.#arithmetic.burst
  }

  /** Keys in memory. */
  get size(): number {
    return this.#table.size
  }

  /** Keys forgotten while they still owed tokens. */
  get evicted(): number {
    return this.#table.evicted
  }

  /** @param pinned keys whose places must stay */
  placeOf(key: string, now: number, pinned: { has(key: string): boolean }): number {
    return this.#table.find(key) ?? this.#table.add(key, this.#arithmetic.full(now), pinned)
  }

  /** The virtual time after `cost`: it may pass if that is not after `now`, and the place is not {@link blocked}. */
  next(place: number, cost: number, now: number): number {
    return this.#arithmetic.next(this.#table.slots[place]!, cost, now)
  }

  blocked(place: number, now: number): boolean {
    return this.#table.blocks !== undefined && this.#table.blocks[place]! > now + SLACK
  }

  /** When `cost` could pass for callers that wait. */
  dueAt(place: number, cost: number, now: number): number {
    const due = this.#arithmetic.dueAt(this.#table.slots[place]!, cost, now)
    return Math.max(due, this.#table.blockedUntil(place))
  }

  /** Takes `cost` for a caller that is due. */
  take(place: number, cost: number, now: number): void {
    this.set(place, this.#arithmetic.dueAt(this.#table.slots[place]!, cost, now))
  }

  /** @param slot from {@link next} */
  set(place: number, slot: number): void {
    this.#table.slots[place] = slot
  }

  /** When `cost` could pass for a key, which is not given a place for it. */
  nextOf(key: string, cost: number, now: number): number {
    return Math.max(
      this.#arithmetic.next(this.#slotOf(key, now), cost, now),
      this.#table.blockOf(key),
    )
  }

  available(key: string, now: number): number {
    const available = this.#arithmetic.available(this.#slotOf(key, now), now)
    return this.#table.blockOf(key) > now + SLACK ? Math.min(0, available) : available
  }

  resetAfter(key: string, now: number): number {
    return Math.max(
      this.#arithmetic.resetAfter(this.#slotOf(key, now), now),
      this.#table.blockOf(key) - now,
    )
  }

  /** A key that is not known has a full bucket, which cannot hold more. */
  refund(key: string, cost: number, now: number): void {
    const place = this.#table.find(key)
    if (place === undefined) return
    const slot = this.#table.slots[place]!
    this.set(place, this.#arithmetic.refunded(slot, cost, now, this.#table.blockedUntil(place)))
  }

  /** Has the next token come after `ms`, not earlier. */
  pause(place: number, ms: number, now: number): void {
    this.set(place, this.#arithmetic.paused(this.#table.slots[place]!, ms, now))
    this.#table.block(place, Math.max(this.#table.blockedUntil(place), now + ms))
  }

  fill(place: number, now: number): void {
    this.set(place, this.#arithmetic.full(now))
    if (this.#table.blocks !== undefined) this.#table.block(place, -Infinity)
  }

  /** @returns whether the key was known */
  delete(key: string): boolean {
    return this.#table.delete(key)
  }

  /** Tokens saved so far are kept, up to the new burst; a debt is kept in tokens, a block in time. O(keys). */
  setLimits(limits: TokenBucketLimits, now: number): void {
    const before = this.#arithmetic
    this.#arithmetic = GcraArithmetic.of(limits, this.#catchUp)
    const { slots } = this.#table
    for (let place = 0; place < slots.length; place++) {
      const from = Math.max(now, this.#table.blockedUntil(place))
      slots[place] = this.#arithmetic.converted(slots[place]!, before, from)
    }
  }

  #slotOf(key: string, now: number): number {
    return this.#table.slotOf(key, this.#arithmetic.full(now))
  }
}
