import type { Clock, OptionNames } from '@millrace/kit'
import type { WaitOrder } from '../wait/order/wait-order.ts'

/** Options that every limiter has, whatever its algorithm. */
export interface LimiterOptions {
  /** The most calls that may wait. Default: Infinity */
  readonly maxQueue?: number | undefined
  /** In which order calls that wait are served. Default: a new {@link PriorityOrder} */
  readonly order?: WaitOrder | undefined
  /** In errors, statistics and diagnostics. Default: the algorithm's name, such as `'token-bucket'` */
  readonly name?: string | undefined
  /** Source of time. Default: the process' monotonic clock */
  readonly clock?: Clock | undefined
}

/** The names of {@link LimiterOptions}. */
export const LIMITER_OPTIONS: OptionNames<LimiterOptions> = {
  maxQueue: true,
  order: true,
  name: true,
  clock: true,
}
