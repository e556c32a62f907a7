import type { AttributeValue } from '../api/span.ts'

/** Depth and size at which a captured structure is cut, so that a cycle or a huge graph costs a bounded time. */
const MAX_DEPTH = 8
const MAX_NODES = 1_024

/** Stands for a value that cannot be an attribute (functions, symbols, class instances, throwing getters). */
const INVALID: unique symbol = Symbol('invalid attribute')

/**
 * A map value as captured: keys and values side by side. An object would let user keys such as `__proto__` act.
 */
export class CapturedMap {
  readonly keys: string[] = []
  readonly values: unknown[] = []
}

let nodes = 0

/**
 * Copies an array, byte array or plain object as it is now, so that later changes by its owner do not reach the
 * export. Primitives never come here. Returns {@link INVALID} for what OTLP cannot say; nothing escapes, not even
 * the exception of a getter.
 */
export function capture(value: object): unknown {
  nodes = 0
  try {
    return copy(value, 0)
  } catch {
    // A getter or a proxy trap threw: the attribute is dropped and counted by the caller.
    return INVALID
  }
}

function copy(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'bigint':
      return value
    case 'object':
      break
    default:
      return INVALID
  }
  if (value === null) return null
  if (depth === MAX_DEPTH || ++nodes > MAX_NODES) return INVALID
  if (value instanceof Uint8Array) return Uint8Array.prototype.slice.call(value)
  return Array.isArray(value) ? copyArray(value, depth) : copyMap(value, depth)
}

function copyArray(value: readonly unknown[], depth: number): unknown {
  const length = Math.min(value.length, MAX_NODES)
  const items = new Array<unknown>(length)
  for (let i = 0; i < length; i++) {
    const item = value[i]
    const copied = item === undefined ? null : copy(item, depth + 1)
    if (copied === INVALID) return INVALID
    items[i] = copied
  }
  return items
}

function copyMap(value: object, depth: number): unknown {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && Object.getPrototypeOf(prototype as object) !== null) return INVALID
  if (value instanceof Map || value instanceof Set || value instanceof Date) return INVALID
  const map = new CapturedMap()
  for (const key of Object.keys(value)) {
    const item = (value as Record<string, unknown>)[key]
    if (item === undefined) continue
    const copied = copy(item, depth + 1)
    if (copied === INVALID) return INVALID
    if (map.keys.length === MAX_NODES) break
    map.keys.push(key)
    map.values.push(copied)
  }
  return map
}

/** A captured value as ordinary data, for exporters that show or hand on attributes. */
export function release(value: unknown): AttributeValue {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) {
    return value as AttributeValue
  }
  if (Array.isArray(value)) return value.map(release)
  const map = value as CapturedMap
  const entries = map.keys.map((key, i): [string, AttributeValue] => [key, release(map.values[i])])
  // fromEntries defines properties, so the key `__proto__` stays a key.
  return Object.fromEntries(entries)
}
