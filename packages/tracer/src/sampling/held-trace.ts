import type { TraceRecord } from '../span/ids/trace-record.ts'
import type { SpanRecord } from '../span/recorded/span-record.ts'

/** The ended spans of a trace whose roots in this process have not all ended. */
export class HeldTrace {
  readonly trace: TraceRecord
  /** Milliseconds on the tracer's clock when the first root began. */
  readonly since: number
  readonly records: SpanRecord[] = []
  openRoots = 1
  /** A span failed or a root was slow: the trace is kept for its own sake. */
  remarkable = false
  /** Undefined until the roots have ended or the trace was decided early. */
  kept: boolean | undefined

  constructor(trace: TraceRecord, since: number) {
    this.trace = trace
    this.since = since
  }
}
