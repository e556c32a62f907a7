import type { Span } from '../span/span.ts'
import type { Baggage } from './baggage.ts'
import { Propagation } from './propagation.ts'

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
