import type { Baggage } from '../context/baggage.ts'
import type { Span } from '../span/api/span.ts'

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
