import { spanIdHex } from './hex.ts'
import type { Span, SpanContext } from './span.ts'
import { RECORDED, SAMPLED, type TraceRecord } from './trace-record.ts'

/** What every span class of this package offers besides the public interface: identity as integers. */
export abstract class BaseSpan {
  /** The shared trace; made on first call, so that a lone unsampled root costs one small object. */
  abstract trace(): TraceRecord
  abstract spanHigh(): number
  abstract spanLow(): number

  /** Whether the span comes from another process. */
  isRemote(): boolean {
    return false
  }

  spanContext(): SpanContext {
    const trace = this.trace()
    const context: SpanContext = {
      traceId: trace.traceId,
      spanId: spanIdHex(this.spanHigh(), this.spanLow()),
      traceFlags: trace.flags & ~RECORDED,
    }
    if (trace.state !== undefined) context.traceState = trace.state
    if (this.isRemote()) context.isRemote = true
    return context
  }

  /** Whether other processes are told to record. */
  isSampled(): boolean {
    return (this.trace().flags & SAMPLED) !== 0
  }
}

/** A span of this package, as the tracer handles it inside. */
export type TracerSpan = BaseSpan & Span

/**
 * Makes `type` a subclass of `base` without `extends`. The constructor of a derived class looks up its parent's each time it runs,
 * which V8 does not always fold away: 6 of the 13 ns of a span that is not recorded. For classes of which every span makes an
 * instance, and whose parents have no fields.
 */
export function inherit(type: { prototype: object }, base: { prototype: object }): void {
  Object.setPrototypeOf(type.prototype, base.prototype)
}
