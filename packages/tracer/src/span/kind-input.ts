import { SpanKind } from './span.ts'

/** A span's kind; INTERNAL for anything that is none, which would spoil the bytes of the export. */
export function kindInput(kind: unknown): SpanKind {
  const known =
    Number.isInteger(kind) && (kind as number) >= 0 && (kind as number) <= SpanKind.CONSUMER
  return known ? (kind as SpanKind) : SpanKind.INTERNAL
}
