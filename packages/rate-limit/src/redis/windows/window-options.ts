import type { OptionNames, StatsKinds } from '@millrace/kit'
import {
  REDIS_LIMIT_OPTIONS,
  REDIS_LIMIT_STATS_KINDS,
  type RedisLimitOptions,
  type RedisLimitStats,
} from '../limit/redis-limit.ts'
import type { OutageMode } from '../outage/outage-mode.ts'

/** No process holds permits ahead, so that there is no `'lease'`. */
export type WindowOutageMode = Exclude<OutageMode, 'lease'>

export const WINDOW_MODES: readonly WindowOutageMode[] = ['closed', 'open', 'local']

/** Options that all sliding windows in Redis have. */
export interface SharedWindowsOptions extends RedisLimitOptions {
  /** The most permits in any `window`; a positive integer. Redis keeps some 100 bytes for each. */
  readonly limit: number
  /** Its length in ms, from 1 to 1e12. */
  readonly window: number
  /**
   * What happens while Redis is not available: `'local'` is this process' share of the limit, at least one permit. What passed
   * is entered with its time when Redis is back. Default: `'local'`
   */
  readonly whenDown?: WindowOutageMode | undefined
  /** The most calls of this process that may wait, of each key. Default: Infinity */
  readonly maxQueue?: number | undefined
}

/** The names of {@link SharedWindowsOptions}. */
export const SHARED_WINDOWS_OPTIONS: OptionNames<SharedWindowsOptions> = {
  ...REDIS_LIMIT_OPTIONS,
  limit: true,
  window: true,
  whenDown: true,
  maxQueue: true,
}

/** Statistics that all of them have. */
export interface SharedWindowsStats extends RedisLimitStats {
  /** Permits handed out by this process, without those refunded. */
  granted: number
  refused: number
  refunded: number
  waiting: number
  timeouts: number
  aborts: number
}

/** What the numbers of {@link SharedWindowsStats} are: a refund takes back what was granted. */
export const SHARED_WINDOWS_STATS_KINDS: StatsKinds<SharedWindowsStats> = {
  ...REDIS_LIMIT_STATS_KINDS,
  granted: 'gauge',
  refused: 'counter',
  refunded: 'counter',
  waiting: 'gauge',
  timeouts: 'counter',
  aborts: 'counter',
}
