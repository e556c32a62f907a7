import { activeContext } from '../context/active-context.ts'
import { Baggage } from '../context/baggage.ts'
import type { Span } from '../span/api/span.ts'
import { asTracerSpan } from '../span/idle/as-tracer-span.ts'
import type { IdleSpan } from '../span/idle/idle-span.ts'
import { type Headers, RemoteParent } from './remote-parent.ts'
import { formatTraceparent, parseTraceparent } from './traceparent.ts'

/** The headers that travel, by the names that OpenTelemetry's `OTEL_PROPAGATORS` has for them. */
export const PROPAGATORS = ['tracecontext', 'baggage'] as const
export type PropagatorName = (typeof PROPAGATORS)[number]

/** What is read from incoming headers and written to outgoing ones. */
export class Propagation {
  /** Whether `traceparent` and `tracestate` are. */
  readonly traceContext: boolean
  /** Whether `baggage` is. */
  readonly baggage: boolean

  constructor(names: readonly PropagatorName[] = PROPAGATORS) {
    this.traceContext = names.includes('tracecontext')
    this.baggage = names.includes('baggage')
  }

  /** The headers that may be set. */
  get fields(): string[] {
    const fields = this.traceContext ? ['traceparent', 'tracestate'] : []
    return this.baggage ? [...fields, 'baggage'] : fields
  }

  extract(headers: Headers): RemoteParent {
    try {
      let span: IdleSpan | undefined
      const traceparent = this.traceContext ? single(headers.traceparent) : undefined
      if (traceparent !== undefined) {
        span = parseTraceparent(traceparent, joined(headers.tracestate))
      }
      const baggage = this.baggage ? joined(headers.baggage) : undefined
      return new RemoteParent(span ?? null, baggage === undefined ? null : Baggage.parse(baggage))
    } catch {
      // No headers at all, or an object whose getters throw.
      return new RemoteParent(null, null)
    }
  }

  inject(headers: Record<string, unknown>, span?: Span): void {
    // As OpenTelemetry's propagators do without a carrier.
    if (headers === undefined || headers === null) return
    const { span: active, baggage } = activeContext()
    const sender = span === undefined ? active : asTracerSpan(span)
    if (this.traceContext && sender !== null) {
      headers.traceparent = formatTraceparent(sender)
      const state = sender.trace().state?.serialize()
      if (state !== undefined && state !== '') headers.tracestate = state
    }
    if (this.baggage && baggage !== null && baggage.size > 0) headers.baggage = baggage.serialize()
  }
}

/** The value of a header that may come once only; undefined where it came more often, or is no text. */
export function single(value: unknown): string | undefined {
  const only: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value
  return typeof only === 'string' ? only : undefined
}

/** The value of a header that may come in pieces; undefined where it is no text. */
export function joined(value: unknown): string | undefined {
  const text: unknown = Array.isArray(value) ? value.join(',') : value
  return typeof text === 'string' ? text : undefined
}
