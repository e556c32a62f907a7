/** A part of a body: the first byte, and the one after the last. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/**
 * Reads a `Range` of RFC 9110 section 14.1.2 that asks for one part of a body of `length` bytes.
 *
 * @returns null if it is out of bounds; undefined for several parts and other units, which the whole body answers
 */
export function byteRange(field: string, length: number): ByteRange | null | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/i.exec(field.trim()) ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined
  if (first === '') {
    const count = Math.min(Number(last), length)
    return count === 0 ? null : { start: length - count, end: length }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return undefined
  if (start >= length) return null
  return { start, end: last === '' ? length : Math.min(Number(last) + 1, length) }
}
