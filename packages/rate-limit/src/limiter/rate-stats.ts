import type { StatsKinds } from '@millrace/kit'
import { WAIT_STATS_KINDS, type WaitStats } from '../wait/wait-totals.ts'

/** Statistics of every limit on a rate; of calls that wait in a combination, the one counts that stands in line here. */
export interface RateStats extends WaitStats {
  /** Permits handed out by this process, without those refunded. */
  granted: number
  refunded: number
}

/** What the numbers of {@link RateStats} are: a refund takes back what was granted. */
export const RATE_STATS_KINDS: StatsKinds<RateStats> = {
  ...WAIT_STATS_KINDS,
  granted: 'gauge',
  refunded: 'counter',
}
