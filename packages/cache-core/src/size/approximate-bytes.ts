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
 * functions and class internals not at all; getters are not called. O(1) by that limit, O(names) for an object with
 * very many properties of its own.
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
  const before = pending.length
  let parts = 0
  try {
    if (isBytes(value)) return HEADER * 4 + atLeastZero(value.byteLength)
    parts = atLeastZero(pushParts(value, pending))
  } catch {
    // A proxy or a class whose own code throws: its size cannot be known, and a weigher must not fail for it.
  }
  const unseen = Math.max(0, parts - (pending.length - before))
  return HEADER + parts * POINTER + unseen * HEADER
}

/** What a class of another's says of itself may be anything. */
function atLeastZero(size: number): number {
  return Number.isFinite(size) && size > 0 ? size : 0
}

function isBytes(value: object): value is { readonly byteLength: number } {
  return (
    ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer
  )
}

/** Appends some parts of an object, at most 200, and returns how many it has. */
function pushParts(value: object, pending: unknown[]): number {
  if (Array.isArray(value)) {
    const most = Math.min(value.length, MOST_VALUES)
    for (let index = 0; index < most; index++) pending.push(value[index])
    return value.length
  }
  if (value instanceof Set) {
    pushSome(value, pending)
    return value.size
  }
  if (value instanceof Map) {
    pushSome(value.keys(), pending)
    pushSome(value.values(), pending)
    return value.size * 2
  }
  return pushFields(value, pending)
}

/** Half of what is looked at, so that a `Map` shows keys and values. */
function pushSome(values: Iterable<unknown>, pending: unknown[]): void {
  let left = MOST_VALUES / 2
  for (const value of values) {
    if (left-- === 0) return
    pending.push(value)
  }
}

/** Fields without running code of theirs: a getter counts as a pointer. */
function pushFields(value: object, pending: unknown[]): number {
  const names = Object.keys(value)
  const most = Math.min(names.length, MOST_VALUES)
  for (let index = 0; index < most; index++) {
    pending.push(Object.getOwnPropertyDescriptor(value, names[index]!)?.value)
  }
  return names.length
}
