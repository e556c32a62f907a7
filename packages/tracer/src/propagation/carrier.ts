import type { SpanLike } from '../span/api/span.ts'
import type { IncomingHeaders, OutgoingHeaders } from './headers.ts'
import { Propagation } from './propagation.ts'
import type { RemoteParent } from './remote-parent.ts'

const w3c = new Propagation()

/**
 * Reads `traceparent`, `tracestate` and `baggage`; `tracer.propagation` reads what the option `propagators` names. Never throws: without
 * a valid `traceparent` (or with two) the result has no span, so that the child starts a new trace, and its `tracestate` is ignored.
 */
export function extract(headers: IncomingHeaders): RemoteParent {
  return w3c.extract(headers)
}

/**
 * Writes the headers that make `span` (default: the active one) the parent of what the receiver does. Never throws: headers that are
 * frozen or were sent stay as they are.
 */
export function inject(headers: OutgoingHeaders, span?: SpanLike): void {
  w3c.inject(headers, span)
}
