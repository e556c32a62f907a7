import type { Baggage } from '../context/baggage.ts'
import type { Span } from '../span/api/span.ts'

/** Marks them, also for another copy of this package in the process. */
const MARK = Symbol.for('millrace.tracer.remote-parent')

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

Object.defineProperty(RemoteParent.prototype, MARK, { value: true })

/** Whether it is one, of this or of another copy of this package. */
export function isRemoteParent(value: unknown): value is RemoteParent {
  return typeof value === 'object' && value !== null && MARK in value
}
