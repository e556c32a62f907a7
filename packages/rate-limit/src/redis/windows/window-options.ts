import type { OptionNames } from '@millrace/kit'
import { REDIS_LIMIT_OPTIONS, type RedisLimitOptions } from '../limit/redis-limit.ts'
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
