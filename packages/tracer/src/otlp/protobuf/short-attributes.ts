/**
 * Hot kernel: pairs of a short key, whose bytes are prepared, and a short value, written at a position of a buffer that has room for them.
 * Benchmark cases "5 attributes to bytes", "10 unique attributes to bytes".
 */
import type { AttributeKey } from './attribute-key.ts'

/**
 * Writes an attribute with a short key and a string of less than 128 characters, four at a time on the assumption that they
 * are ASCII. Returns the position behind it, or -1 where they turn out not to be.
 */
export function writeAscii(
  bytes: Uint8Array,
  view: DataView,
  pos: number,
  { head }: AttributeKey,
  value: string,
): number {
  const { units } = head
  const { length } = value
  const size = head.length + length + 3
  bytes[pos++] = 0x4a
  if (size > 0x7f) {
    bytes[pos++] = (size & 0x7f) | 0x80
    bytes[pos++] = size >>> 7
  } else {
    bytes[pos++] = size
  }
  for (let i = 0, at = pos; i < units.length; i++, at += 8) view.setFloat64(at, units[i]!, true)
  pos += head.length
  bytes[pos] = length + 2
  bytes[pos + 1] = 0x0a
  bytes[pos + 2] = length
  pos += 3
  let all = 0
  let i = 0
  for (; i + 3 < length; i += 4) {
    const a = value.charCodeAt(i)
    const b = value.charCodeAt(i + 1)
    const c = value.charCodeAt(i + 2)
    const d = value.charCodeAt(i + 3)
    all |= a | b | c | d
    view.setInt32(pos + i, a | (b << 8) | (c << 16) | (d << 24), true)
  }
  for (; i < length; i++) {
    const code = value.charCodeAt(i)
    all |= code
    bytes[pos + i] = code
  }
  return all < 0x80 ? pos + length : -1
}

/**
 * Writes an attribute with a short key and an integer from 0 to 2^14 - 1 or a fraction. Returns the position behind it, or -1 for
 * other integers.
 */
export function writeNumeric(
  bytes: Uint8Array,
  view: DataView,
  pos: number,
  { head }: AttributeKey,
  value: number,
): number {
  const isSmall = (value & 0x3fff) === value
  if (!isSmall && Number.isInteger(value)) return -1
  const { units } = head
  const size = isSmall ? (value > 0x7f ? 3 : 2) : 9
  bytes[pos] = 0x4a
  bytes[pos + 1] = head.length + 1 + size
  pos += 2
  for (let i = 0, at = pos; i < units.length; i++, at += 8) view.setFloat64(at, units[i]!, true)
  pos += head.length
  bytes[pos] = size
  if (isSmall) {
    bytes[pos + 1] = 0x18
    bytes[pos + 2] = value > 0x7f ? (value & 0x7f) | 0x80 : value
    bytes[pos + 3] = value >>> 7
  } else {
    bytes[pos + 1] = 0x21
    view.setFloat64(pos + 2, value, true)
  }
  return pos + 1 + size
}
