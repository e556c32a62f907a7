import { checkOptions, type OptionNames } from '@millrace/kit'
import { RedisKeyedRate } from '../limit/redis-keyed-rate.ts'
import { SharedWindows } from './shared-windows.ts'
import { SHARED_WINDOWS_OPTIONS, type SharedWindowsOptions } from './window-options.ts'

export interface RedisKeyedWindowOptions extends SharedWindowsOptions {
  /** The most keys that are remembered in this process, for an outage. Default: 10,000 */
  readonly maxKeys?: number | undefined
}

const NAMES: OptionNames<RedisKeyedWindowOptions> = { ...SHARED_WINDOWS_OPTIONS, maxKeys: true }

/**
 * A sliding window per key that processes share through Redis. `limit` and `window` are those of each key. Calls with the same key wait
 * for their turn in their process, and what a process gives back it takes from its own permits. A block holds while Redis is away in
 * those processes that have heard of it.
 */
export class RedisKeyedWindow extends RedisKeyedRate {
  /** The most permits of a key in a window, and its length in ms. */
  readonly limit: number
  readonly window: number

  constructor(options: RedisKeyedWindowOptions) {
    const { maxKeys = 10_000, ...shared } = checkOptions('', options, NAMES)
    super(new SharedWindows(shared, maxKeys))
    this.limit = shared.limit
    this.window = shared.window
  }
}
