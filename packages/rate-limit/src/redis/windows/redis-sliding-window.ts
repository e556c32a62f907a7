import { checkOptions, type OptionNames } from '@millrace/kit'
import type { WaitOrder } from '../../wait/order/wait-order.ts'
import { RedisRate } from '../limit/redis-rate.ts'
import { SharedWindows } from './shared-windows.ts'
import { SHARED_WINDOWS_OPTIONS, type SharedWindowsOptions } from './window-options.ts'

export interface RedisSlidingWindowOptions extends SharedWindowsOptions {
  /** In which order calls of this process that wait are served. Default: a new {@link PriorityOrder} */
  readonly order?: WaitOrder | undefined
}

const NAMES: OptionNames<RedisSlidingWindowOptions> = { ...SHARED_WINDOWS_OPTIONS, order: true }

/**
 * At most `limit` permits of all processes in any window: an exact log in Redis. Calls that wait do so in order within
 * a process; between processes the one that asks first when a permit is free. A process gives back permits of its own.
 */
export class RedisSlidingWindow extends RedisRate {
  /** The most permits in one window, and its length in ms. */
  readonly limit: number
  readonly window: number

  constructor(options: RedisSlidingWindowOptions) {
    const { order, ...shared } = checkOptions('', options, NAMES)
    super(new SharedWindows(shared, 1, order))
    this.limit = shared.limit
    this.window = shared.window
  }
}
