const POINTER = 8
const HEADER = 24
/**
 * Values looked at in one estimate at most; what lies beyond counts as the average of what was
 * seen.
 */
const MOST_VALUES = 200

/**
 * About how many bytes a value keeps alive in V8's heap: a weigher for `maxBytes` where sizes are
 * not known better.
 *
 * Strings count one byte per character (two if the first characters need it), buffers their length,
 * other objects their fields, of which at most 200 are looked at. Shared parts count each time,
 * functions and class internals not at all. O(1) by that limit.
 */
export function approximateBytes(value: unknown): number {
  const pending: unknown[] = [value]
  const seen = new Set<object>()
  let bytes = 0
  let looked = 0
  while (pending.length !== 0 && looked < MOST_VALUES) {
    bytes += own(pending.pop(), pending, seen)
    looked++
  }
  return Math.ceil(bytes * (1 + pending.length / Math.max(1, looked)))
}

/** Bytes of one value, its parts being appended to `pending`. */
function own(value: unknown, pending: unknown[], seen: Set<object>): number {
  switch (typeof value) {
    case 'string':
      return HEADER + value.length * (/[^\0-\xff]/.test(value.slice(0, 64)) ? 2 : 1)
    case 'number':
      return POINTER
    case 'bigint':
      return HEADER
    case 'object':
      if (value === null || seen.has(value)) return POINTER
      seen.add(value)
      return ofObject(value, pending)
    default:
      return POINTER
  }
}

function ofObject(value: object, pending: unknown[]): number {
  if (ArrayBuffer.isView(value)) return HEADER * 4 + value.byteLength
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer)
    return HEADER * 4 + value.byteLength
  const parts = partsOf(value)
  const most = Math.min(parts.length, MOST_VALUES)
  for (let part = 0; part < most; part++) pending.push(parts[part])
  const unseen = parts.length - most
  return HEADER + parts.length * POINTER + unseen * HEADER
}

function partsOf(value: object): readonly unknown[] {
  if (Array.isArray(value)) return value
  if (value instanceof Set) return [...value]
  if (value instanceof Map) return [...value.keys(), ...value.values()]
  return Object.values(value)
}
