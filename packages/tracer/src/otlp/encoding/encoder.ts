import type { Resource } from '../../export/resource.ts'
import type { SpanContext } from '../../span/api/span.ts'
import type { SpanRecord } from '../../span/recorded/span-record.ts'

/** Turns spans into the pieces of an OTLP request. Pieces can be joined in any number and order. */
export interface Encoder {
  readonly contentType: string
  /** Bytes written since the last `take`. */
  readonly size: number
  /** Tells whose spans these are; before the first `write`. */
  open(resource: Resource): void
  write(span: SpanRecord): void
  /** Takes what was written as one piece, and starts a new one. */
  take(): Uint8Array
  /** The body of a request from pieces, in parts to be sent one after the other. */
  frame(pieces: readonly Uint8Array[]): readonly Uint8Array[]
  /** Takes back a piece whose bytes are not read any more, to write on its memory again. */
  giveBack?(piece: Uint8Array): void
}

/** Flags of OTLP spans and links: bits 8 and 9 tell whether the parent is known to be local or remote. */
export const HAS_IS_REMOTE = 0x100
export const IS_REMOTE = 0x200

/** The flags of a link. */
export function contextFlags(context: SpanContext): number {
  return (context.traceFlags & 0xff) | HAS_IS_REMOTE | (context.isRemote === true ? IS_REMOTE : 0)
}

/** An id of a link, or nothing where it is malformed: what a collector cannot read would cost the whole request. */
export function linkedId(id: string, digits: number): string {
  return id.length === digits && /^[0-9a-f]+$/i.test(id) ? id.toLowerCase() : ''
}
