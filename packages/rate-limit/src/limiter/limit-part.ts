import type { Clock } from '@millrace/kit'
import type { Meter } from '../meter/meter.ts'
import type { Line } from '../wait/line/line.ts'

/** What other limiters of this package may do with a limit that they contain. */
export interface LimitPart extends Line {
  readonly meter: Meter
  /** Times of its meter and of its line are of this clock. */
  readonly clock: Clock
  /** Whether calls wait for this limit itself, which nothing may overtake. */
  readonly waiting: boolean
  /** Cost of what waits for this limit itself and comes before a call that came now. */
  costAhead(priority: number, key: string | undefined): number
  /** Enters in the limit's own statistics what was taken from its meter. */
  count(cost: number): void
  refund(cost: number): void
  watch(listener: () => void): void
  unwatch(listener: () => void): void
}
