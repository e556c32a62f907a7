/** Where the field `spans` is found: ExportTraceServiceRequest, ResourceSpans, ScopeSpans have it or its way in these fields. */
const PATH = [1, 2, 2] as const

/**
 * Counts the `Span` messages in the bytes of an ExportTraceServiceRequest, by walking its length prefixes; throws on anything
 * malformed. Allocates nothing and skips the content of spans, as it is part of what is timed.
 */
export function countSpans(bytes: Uint8Array): number {
  return countIn(bytes, 0, bytes.length, 0)
}

function countIn(bytes: Uint8Array, at: number, end: number, depth: number): number {
  const wanted = PATH[depth]
  let spans = 0
  while (at < end) {
    const tag = bytes[at++]!
    if ((tag & 7) !== 2) throw new Error(`unexpected wire type ${tag & 7}`)
    let length = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!
      length += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) break
    }
    if (at + length > end) throw new Error('truncated message')
    if (tag >> 3 === wanted) {
      spans += depth === PATH.length - 1 ? 1 : countIn(bytes, at, at + length, depth + 1)
    }
    at += length
  }
  return spans
}
