/** Bytes decoded as UTF-8, without a byte order mark (Encoding standard, "UTF-8 decode"). */
export function toText(bytes: Buffer): string {
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
  return bytes.toString('utf8', hasMark ? 3 : 0)
}
