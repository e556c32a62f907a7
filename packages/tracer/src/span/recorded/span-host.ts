import type { TimeInput } from '../api/span.ts'
import type { ResolvedLimits } from './span-limits.ts'
import type { SpanRecord } from './span-record.ts'

/** What running spans need of the tracer that made them. */
export interface SpanHost {
  readonly limits: ResolvedLimits
  /** Milliseconds on the tracer's clock. */
  now(): number
  /** A user's moment on the tracer's clock; now where it is undefined or not a time. */
  at(time: TimeInput | undefined): number
  /** Takes over the record of a span that has just ended. */
  ended(record: SpanRecord): void
}
