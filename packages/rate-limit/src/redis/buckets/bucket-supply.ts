import type { Clock } from '@millrace/kit'
import type { StoreGuard } from '../client/store-guard.ts'
import type { LocalShare } from '../outage/local-share.ts'
import type { Outage } from '../outage/outage.ts'
import type { OutageMode } from '../outage/outage-mode.ts'
import type { BucketAnswer, BucketMark, BucketStore } from '../stores/bucket-store.ts'
import type { BucketAccounts } from './bucket-accounts.ts'
import { NEAR, type Supply } from './reserved-tokens.ts'

export interface BucketSupplyOptions {
  readonly store: BucketStore
  readonly share: LocalShare
  readonly accounts: BucketAccounts
  readonly limit: {
    readonly guard: StoreGuard
    readonly clock: Clock
    readonly outage: Outage<OutageMode, number>
  }
  /** For how many ms tokens are reserved ahead of demand; 0 for never. */
  readonly ahead: number
  readonly rate: number
}

/** Where the tokens of calls that wait come from: Redis, or while that is away this process' share. */
export class BucketSupply {
  readonly #options: BucketSupplyOptions

  constructor(options: BucketSupplyOptions) {
    this.#options = options
  }

  supply(
    key: string,
    wish: {
      count: number
      least: number
      far: number
      mark: BucketMark
    },
  ): Promise<Supply> {
    const { count, least, far, mark } = wish
    const ahead = Math.max(NEAR, 2 * this.#options.ahead)
    const near = far > 0 ? Math.min(far, ahead) : ahead
    return this.#options.limit.outage.bridge(
      async () => {
        const late = (granted: number) => this.#options.accounts.owe(key, -granted)
        const shared = this.takeShare(key, least, count)
        if (shared === 0) return this.#shareSpent(key, least, far)
        const tokens = shared ?? count
        const request = { tokens, least, near, far: Math.max(far, near) }
        const answer = await this.#options.store.reserve(key, request, late, mark).catch(error => {
          this.#options.share.refund(key, shared ?? 0, this.#options.limit.clock.now())
          throw error
        })
        const { granted, first, interval, wait, blocked } = answer
        if (shared !== undefined) {
          const unused = shared - Math.max(0, granted)
          this.#options.share.refund(key, unused, this.#options.limit.clock.now())
        }
        this.follow(key, answer)
        if (granted > 0) return { tokens: granted, first, interval, wait: 0, again: 0, blocked }
        const again = far > 0 ? Infinity : wait - near
        return { tokens: 0, first: 0, interval, wait, again, blocked }
      },
      error => this.#supplyAlone(key, wish, error),
      key,
    )
  }

  #supplyAlone(
    key: string,
    wish: { count: number; least: number; far: number },
    error: Error,
  ): Supply {
    const { count, least, far } = wish
    const now = this.#options.limit.clock.now()
    const interval = 1_000 / this.#options.rate
    if (this.#options.limit.outage.mode === 'open') {
      this.#options.accounts.owe(key, count)
      return { tokens: count, first: -count * interval, interval, wait: 0, again: 0, blocked: 0 }
    }
    if (least > this.#options.share.burst) throw error
    if (this.#options.share.tryTake(key, least, now)) {
      this.#options.accounts.owe(key, least)
      return { tokens: least, first: -least * interval, interval, wait: 0, again: 0, blocked: 0 }
    }
    return this.#shareSpent(key, least, far)
  }

  #shareSpent(key: string, least: number, far: number): Supply {
    const wait = this.#options.share.waitFor(key, least, this.#options.limit.clock.now())
    // Not for longer than until Redis may be back, which has tokens beyond all shares.
    const again =
      far > 0 && wait > far ? Infinity : Math.min(wait, this.#options.limit.guard.cooldown)
    return { tokens: 0, first: 0, interval: 1_000 / this.#options.rate, wait, again, blocked: 0 }
  }

  /**
   * Takes tokens of this process' share, which bounds what it takes of the store while an outage is not over for all.
   *
   * @returns how many; 0 where the share does not hold the least; undefined where it bounds nothing
   */
  takeShare(key: string, least: number, most: number): number | undefined {
    if (least === 0 || this.#options.limit.outage.recovery === 0) return undefined
    return this.#options.share.takeUpTo(key, least, most, this.#options.limit.clock.now())
  }

  follow(key: string, { available, blocked }: BucketAnswer): void {
    this.#options.share.block(key, blocked, this.#options.limit.clock.now())
    // Until an outage is over the store does not know what others have passed in it.
    if (this.#options.limit.outage.recovery > 0) return
    this.#options.share.follow(key, available, this.#options.limit.clock.now())
  }
}
