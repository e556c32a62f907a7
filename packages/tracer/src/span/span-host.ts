import type { TimeInput } from './span.ts'
import type { ResolvedLimits } from './span-limits.ts'
import type { SpanRecord } from './span-record.ts'
import type { SpanTable } from './span-table.ts'
import type { TraceRecord } from './trace-record.ts'

/** What running spans need of the tracer that made them. */
export interface SpanHost {
  readonly limits: ResolvedLimits
  /** Milliseconds on the tracer's clock. */
  now(): number
  /** A user's moment on the tracer's clock; now where it is undefined or not a time. */
  at(time: TimeInput | undefined): number
  /** Takes over a pooled span that has just ended. */
  ended(table: SpanTable, slot: number): void
  /** Takes over the record of an unpooled span that has just ended. */
  endedRecord(record: SpanRecord, trace: TraceRecord | null): void
}
