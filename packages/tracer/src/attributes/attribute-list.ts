import type { Attributes, AttributeValue } from '../span/span.ts'
import { capture, release } from './capture.ts'

/** Above this many pairs a list gives its storage back when cleared, so one large span does not stay for ever. */
const KEPT_PAIRS = 32

/**
 * The attributes of one span, event or link. Hot: `set` is called for every attribute of every span.
 *
 * Lazy (the default): pairs are appended as they come; duplicates are resolved (last value wins) and lengths cut when the
 * list is encoded, or when it is full. Eager: both happen at each `set`, as in other tracers; there to compare.
 */
export class AttributeList {
  /** Keys at even, values at odd positions; valid below `2 * count`. */
  pairs: unknown[] = []
  count = 0
  dropped = 0
  readonly limit: number
  readonly maxLength: number
  readonly #eager: boolean

  /**
   * @param limit most distinct keys kept; further ones are counted in `dropped`
   * @param maxLength most characters or bytes of a value
   */
  constructor(limit: number, maxLength: number, lazy: boolean) {
    this.limit = limit
    this.maxLength = maxLength
    this.#eager = !lazy
  }

  set(key: string, value: AttributeValue): void {
    let kept: unknown = value
    if (typeof value === 'object' && value !== null) kept = capture(value)
    // One comparison settles the common case: a full list, an odd key or an eager list take the long way.
    if (this.#eager || this.count >= this.limit || !isPlain(kept) || !isKey(key)) {
      this.#setCarefully(key, kept)
      return
    }
    const at = this.count * 2
    this.pairs[at] = key
    this.pairs[at + 1] = kept
    this.count++
  }

  setAll(attributes: Attributes): void {
    if (typeof attributes !== 'object' || attributes === null) return
    // for-in walks V8's enum cache; the own check costs little and keeps inherited keys out.
    try {
      for (const key in attributes) {
        if (Object.hasOwn(attributes, key)) this.set(key, attributes[key])
      }
    } catch {
      // A getter of the caller's object threw; hot-path calls never do.
      this.dropped++
    }
  }

  #setCarefully(key: string, value: unknown): void {
    if (value === undefined) return
    if (!isKey(key) || !isPlain(value)) {
      this.dropped++
      return
    }
    if (this.#eager) value = truncate(value, this.maxLength)
    else if (this.count >= this.limit) this.deduplicate()
    for (let at = 0; at < this.count * 2; at += 2) {
      if (this.pairs[at] !== key) continue
      this.pairs[at + 1] = value
      return
    }
    if (this.count >= this.limit) {
      this.dropped++
      return
    }
    this.pairs[this.count * 2] = key
    this.pairs[this.count * 2 + 1] = value
    this.count++
  }

  /** Resolves repeated keys in place: first position, last value. O(n). */
  deduplicate(): void {
    const positions = new Map<unknown, number>()
    const { pairs } = this
    let kept = 0
    for (let at = 0; at < this.count * 2; at += 2) {
      const seen = positions.get(pairs[at])
      if (seen !== undefined) {
        pairs[seen + 1] = pairs[at + 1]
        continue
      }
      positions.set(pairs[at], kept)
      pairs[kept] = pairs[at]
      pairs[kept + 1] = pairs[at + 1]
      kept += 2
    }
    this.count = kept / 2
  }

  /** Forgets all values, so that a pooled list holds on to nothing of the span before. */
  clear(): void {
    const length = this.count * 2
    if (length > KEPT_PAIRS * 2) this.pairs = []
    else for (let at = 0; at < length; at++) this.pairs[at] = undefined
    this.count = 0
    this.dropped = 0
  }

  /** An independent list with the same content. */
  copy(): AttributeList {
    const list = new AttributeList(this.limit, this.maxLength, !this.#eager)
    list.pairs = this.pairs.slice(0, this.count * 2)
    list.count = this.count
    list.dropped = this.dropped
    return list
  }

  /** The final attributes as an object with no prototype. */
  toObject(): Record<string, AttributeValue> {
    const result: Record<string, AttributeValue> = Object.create(null)
    for (let at = 0; at < this.count * 2; at += 2) {
      result[this.pairs[at] as string] = release(truncate(this.pairs[at + 1], this.maxLength))
    }
    return result
  }
}

function isKey(key: unknown): boolean {
  return typeof key === 'string' && key.length !== 0
}

/** Whether a captured value can be kept: not undefined, not {@link INVALID}, not a function or symbol. */
function isPlain(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'object':
    case 'bigint':
      return true
    default:
      return false
  }
}

/** Cuts strings and bytes, also inside arrays and maps. */
export function truncate(value: unknown, maxLength: number): unknown {
  if (maxLength === Number.POSITIVE_INFINITY) return value
  if (typeof value === 'string') return value.length > maxLength ? value.slice(0, maxLength) : value
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return value.subarray(0, maxLength)
  const items = Array.isArray(value) ? value : (value as { values: unknown[] }).values
  for (let i = 0; i < items.length; i++) items[i] = truncate(items[i], maxLength)
  return value
}
