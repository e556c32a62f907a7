import type { Span } from '../span/api/span.ts'
import { Propagation } from './propagation.ts'
import type { Headers, RemoteParent } from './remote-parent.ts'

const everything = new Propagation()

/**
 * Reads `traceparent`, `tracestate` and `baggage`. Never throws: without a valid `traceparent` (or with two) the
 * result has no span, so that the child starts a new trace, and its `tracestate` is ignored.
 */
export function extract(headers: Headers): RemoteParent {
  return everything.extract(headers)
}

/** Writes the headers that make `span` (default: the active one) the parent of what the receiver does. */
export function inject(headers: Record<string, unknown>, span?: Span): void {
  everything.inject(headers, span)
}
