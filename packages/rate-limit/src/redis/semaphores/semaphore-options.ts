import type { OptionNames, StatsKinds } from '@millrace/kit'
import { SEMAPHORE_STATS_KINDS, type SemaphoreStats } from '../../semaphore/semaphore.ts'
import type { WaitOrder } from '../../wait/order/wait-order.ts'
import type { RedisSubscriber } from '../client/free-channel.ts'
import {
  REDIS_LIMIT_OPTIONS,
  REDIS_LIMIT_STATS_KINDS,
  type RedisLimitOptions,
  type RedisLimitStats,
} from '../limit/redis-limit.ts'
import type { OutageMode } from '../outage/outage-mode.ts'

/** A semaphore that lets every call in bounds nothing: it has no mode `'open'`. */
export type SemaphoreOutageMode = Exclude<OutageMode, 'open'>

export const SEMAPHORE_MODES: readonly SemaphoreOutageMode[] = ['closed', 'local', 'lease']

export interface RedisSemaphoreOptions extends RedisLimitOptions {
  /**
   * A second connection, such as `client.duplicate()`, on which processes that wait hear of released permits. Without
   * one they ask again every `poll` ms. Default: none
   */
  readonly subscriber?: RedisSubscriber | undefined
  /** How many may be inside at once, over all processes; a positive integer. */
  readonly permits: number
  /**
   * For how long a permit is held without being renewed, in ms from 1 to 1e12. It is renewed every third of that. Once Redis has lost
   * its state nothing enters for half of the longest that any process has. Default: 10,000
   */
  readonly ttl?: number | undefined
  /** How long to wait between two questions, in ms. Default: 1,000 with a subscriber, else 50 */
  readonly poll?: number | undefined
  /**
   * What happens while Redis is not available:
   * - `'closed'`: nothing enters, and what is inside loses its permit when its lease ends
   * - `'lease'`: the same, but a permit that is released goes to another call of this process, with its fence, until its
   *   lease ends: still never more than `permits`
   * - `'local'`: up to this process' share, the permits divided by the processes and rounded down, are inside and stay.
   *   Their fence is 0 and excludes no other: for bounding load, not for exclusion
   *
   * Default: `'closed'`
   */
  readonly whenDown?: SemaphoreOutageMode | undefined
  /** The most calls of this process that may wait. Default: Infinity */
  readonly maxQueue?: number | undefined
  /** In which order they are served. Default: a new {@link PriorityOrder} */
  readonly order?: WaitOrder | undefined
}

/** The names of {@link RedisSemaphoreOptions}. */
export const REDIS_SEMAPHORE_OPTIONS: OptionNames<RedisSemaphoreOptions> = {
  ...REDIS_LIMIT_OPTIONS,
  subscriber: true,
  permits: true,
  ttl: true,
  poll: true,
  whenDown: true,
  maxQueue: true,
  order: true,
}

export interface RedisSemaphoreStats extends RedisLimitStats, SemaphoreStats {
  /** Permits lost while they were held. */
  lost: number
}

/** What the numbers of {@link RedisSemaphoreStats} are. */
export const REDIS_SEMAPHORE_STATS_KINDS: StatsKinds<RedisSemaphoreStats> = {
  ...REDIS_LIMIT_STATS_KINDS,
  ...SEMAPHORE_STATS_KINDS,
  lost: 'counter',
}
