import { activeContext } from '../context/active-context.ts'
import { BaseSpan } from '../span/base-span.ts'
import { ForeignSpan } from '../span/foreign-span.ts'
import type { Span } from '../span/span.ts'
import { Baggage } from './baggage.ts'
import { formatTraceparent, parseTraceparent } from './traceparent.ts'

/** Headers as `node:http`, undici and plain objects have them; names in lower case. */
export type Headers = Record<string, string | string[] | undefined>

/** What another process sent along: pass it as the `parent` of a span. */
export class RemoteParent {
  /** The sender's span, or null where it sent none that is valid. */
  readonly span: Span | null
  readonly baggage: Baggage | null

  constructor(span: Span | null, baggage: Baggage | null) {
    this.span = span
    this.baggage = baggage
  }
}

/**
 * Reads `traceparent`, `tracestate` and `baggage`. Never throws: without a valid `traceparent` (or with two) the
 * result has no span, so that the child starts a new trace, and its `tracestate` is ignored.
 */
export function extract(headers: Headers): RemoteParent {
  const traceparent = single(headers.traceparent)
  const baggage = joined(headers.baggage)
  let span: ForeignSpan | undefined
  if (traceparent !== undefined) span = parseTraceparent(traceparent, joined(headers.tracestate))
  return new RemoteParent(span ?? null, baggage === undefined ? null : Baggage.parse(baggage))
}

/** Writes the headers that make `span` (default: the active one) the parent of what the receiver does. */
export function inject(headers: Record<string, unknown>, span?: Span): void {
  const { span: active, baggage } = activeContext()
  const sender = span === undefined ? active : asTracerSpan(span)
  if (sender !== null) {
    headers.traceparent = formatTraceparent(sender)
    const state = sender.trace().state?.serialize()
    if (state !== undefined && state !== '') headers.tracestate = state
  }
  if (baggage !== null && baggage.size > 0) headers.baggage = baggage.serialize()
}

function asTracerSpan(span: Span): BaseSpan | null {
  return span instanceof BaseSpan ? span : (ForeignSpan.from(span.spanContext()) ?? null)
}

function single(value: string | string[] | undefined): string | undefined {
  if (Array.isArray(value)) return value.length === 1 ? value[0] : undefined
  return value
}

function joined(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(',') : value
}
