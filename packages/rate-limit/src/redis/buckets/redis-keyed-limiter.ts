import { checkOptions, type OptionNames } from '@millrace/kit'
import { RedisKeyedRate } from '../limit/redis-keyed-rate.ts'
import type { OutageMode } from '../outage/outage-mode.ts'
import { SHARED_BUCKETS_OPTIONS, type SharedBucketsOptions } from './bucket-options.ts'
import { SharedBuckets } from './shared-buckets.ts'

/** A limiter by key holds no tokens ahead that could be spent: it has no mode `'lease'`. */
export type KeyedOutageMode = Exclude<OutageMode, 'lease'>

const MODES: readonly KeyedOutageMode[] = ['closed', 'open', 'local']

export interface RedisKeyedLimiterOptions extends SharedBucketsOptions {
  /**
   * What happens while Redis is not available: `'local'` is a share of each key's rate. What passed is debited from each key
   * when Redis is back. Default: `'local'`
   */
  readonly whenDown?: KeyedOutageMode | undefined
  /**
   * The most keys kept in this process for an outage. Beyond it the debt of the key that has owed for longest is forgiven.
   * Default: 100,000
   */
  readonly maxKeys?: number | undefined
}

const NAMES: OptionNames<RedisKeyedLimiterOptions> = {
  ...SHARED_BUCKETS_OPTIONS,
  whenDown: true,
  maxKeys: true,
}

/**
 * A token bucket per key that processes share through Redis: one round trip per call, and no memory for full buckets. `rate` and `burst`
 * are those of each key. Calls with the same key wait for their turn in all processes, and any process gives back what one was granted.
 *
 * What waits for a key that is blocked comes after the block; in other processes so does all but what was reserved before, which comes
 * within a second.
 */
export class RedisKeyedLimiter extends RedisKeyedRate {
  /** Tokens per second and key. */
  readonly rate: number
  /** The most tokens of a key. */
  readonly burst: number

  constructor(options: RedisKeyedLimiterOptions) {
    const { whenDown = 'local', maxKeys = 100_000, ...shared } = checkOptions('', options, NAMES)
    const buckets = new SharedBuckets(shared, { whenDown, modes: MODES, maxKeys, ahead: 0 })
    super(buckets)
    this.rate = buckets.rate
    this.burst = buckets.burst
  }
}
