/** Counts the `Span` messages in the bytes of an ExportTraceServiceRequest, by walking its length prefixes. */
export function countSpans(bytes: Uint8Array): number {
  let spans = 0
  for (const resourceSpans of fields(bytes, 1)) {
    for (const scopeSpans of fields(resourceSpans, 2)) spans += fields(scopeSpans, 2).length
  }
  return spans
}

/** The contents of the length-delimited fields with this number; throws on anything malformed. */
function fields(bytes: Uint8Array, number: number): Uint8Array[] {
  const found: Uint8Array[] = []
  let at = 0
  while (at < bytes.length) {
    const tag = bytes[at++]!
    if ((tag & 7) !== 2) throw new Error(`unexpected wire type ${tag & 7}`)
    let length = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!
      length += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) break
    }
    if (at + length > bytes.length) throw new Error('truncated message')
    if (tag >> 3 === number) found.push(bytes.subarray(at, at + length))
    at += length
  }
  return found
}
