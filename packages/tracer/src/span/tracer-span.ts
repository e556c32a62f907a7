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

/**
 * Lets spans of a class show their ids in logs, as JSON and by `util.inspect`, and nothing of a record that may hold another span by
 * then.
 */
export function showIds(prototype: TracerSpan): void {
  const ids = (span: TracerSpan): { traceId: string; spanId: string } => {
    const { traceId, spanId } = span.spanContext()
    return { traceId, spanId }
  }
  Object.defineProperties(prototype, {
    toJSON: {
      configurable: true,
      value(this: TracerSpan) {
        return ids(this)
      },
    },
    [Symbol.for('nodejs.util.inspect.custom')]: {
      configurable: true,
      value(this: TracerSpan) {
        // Without a record where the prototype itself is printed.
        if (this === prototype) return 'Span {}'
        const { traceId, spanId } = ids(this)
        return `Span { traceId: '${traceId}', spanId: '${spanId}' }`
      },
    },
  })
}
