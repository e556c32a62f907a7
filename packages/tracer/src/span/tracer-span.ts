import type { Span, SpanContext } from './api/span.ts'
import { spanIdHex } from './ids/hex.ts'
import type { TraceRecord } from './ids/trace-record.ts'

/** A span of this package, as the tracer handles it inside: with its identity as integers. */
export interface TracerSpan extends Span {
  /** What it shares with the other spans of its trace; made on first call, so that a lone root costs one small object. */
  trace(): TraceRecord
  spanHigh(): number
  spanLow(): number
  /** Whether it comes from another process. */
  isRemote(): boolean
}

/** The identity of a span in the form of the public interface. */
export function contextOf(span: TracerSpan): SpanContext {
  const trace = span.trace()
  const context: SpanContext = {
    traceId: trace.traceId,
    spanId: spanIdHex(span.spanHigh(), span.spanLow()),
    traceFlags: trace.w3cFlags,
  }
  if (trace.state !== undefined) context.traceState = trace.state
  if (span.isRemote()) context.isRemote = true
  return context
}
