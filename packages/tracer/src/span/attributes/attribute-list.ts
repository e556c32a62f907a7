import type { Attributes, AttributeValue } from '../api/span.ts'
import { capture, release } from './capture.ts'

/** Above this many pairs a list gives its storage back when cleared, so that one large span does not stay in memory. */
const KEPT_PAIRS = 32

/** Stands for no limit where a limit must be a number of pairs. */
const MAX_PAIRS = 2 ** 28

/**
 * The attributes of one span, event or link. Hot: `set` is called for every attribute of every span.
 *
 * Lazy (the default): pairs are appended as they come; duplicates are resolved (last value wins) and lengths cut when the
 * list is encoded, or when it is full. Eager: both happen at each `set`, as in other tracers; there to compare.
 */
export class AttributeList {
  /** Keys at even, values at odd positions, up to `end`. */
  pairs: unknown[] = []
  end = 0
  dropped = 0
  readonly limit: number
  readonly maxLength: number
  /** Where `set` stops appending without a second look: at the limit, or at once in an eager list. */
  readonly #room: number
  /** `end` after the last deduplication, so that a full list is not searched for duplicates at every further `set`. */
  #unique = 0

  /**
   * @param limit most distinct keys kept; further ones are counted in `dropped`
   * @param maxLength most characters or bytes of a value
   */
  constructor(limit: number, maxLength: number, lazy: boolean) {
    this.limit = limit
    this.maxLength = maxLength
    this.#room = lazy ? limit * 2 : 0
  }

  /** A list without limits: of a resource, a scope or an exception. */
  static of(attributes: Attributes): AttributeList {
    const list = new AttributeList(MAX_PAIRS, Infinity, true)
    list.setAll(attributes)
    return list
  }

  /** Pairs in the list, repeated keys included until `deduplicate`. */
  get count(): number {
    return this.end >> 1
  }

  set(key: string, value: unknown): void {
    const at = this.end
    if (at < this.#room && isScalar(value) && typeof key === 'string' && key.length > 0) {
      this.pairs[at] = key
      this.pairs[at + 1] = value
      this.end = at + 2
      return
    }
    this.#setCarefully(key, value)
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
    if (typeof value === 'object' && value !== null) value = capture(value)
    if (typeof key !== 'string' || key.length === 0 || !isValue(value)) {
      this.dropped++
      return
    }
    if (this.#room === 0) value = truncate(value, this.maxLength)
    if (this.end >= this.#room) {
      this.deduplicate()
      for (let at = 0; at < this.end; at += 2) {
        if (this.pairs[at] !== key) continue
        this.pairs[at + 1] = value
        return
      }
    }
    if (this.count >= this.limit) {
      this.dropped++
      return
    }
    this.pairs[this.end] = key
    this.pairs[this.end + 1] = value
    this.end += 2
  }

  /** Resolves repeated keys in place: first position, last value. O(n). */
  deduplicate(): void {
    if (this.#room === 0 || this.#unique === this.end) return
    const positions = new Map<unknown, number>()
    const { pairs } = this
    let kept = 0
    for (let at = 0; at < this.end; at += 2) {
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
    this.end = kept
    this.#unique = kept
  }

  /** Forgets all values, so that a pooled list holds on to nothing of the span before. */
  clear(): void {
    const { pairs, end } = this
    if (end > KEPT_PAIRS * 2) this.pairs = []
    else for (let at = 0; at < end; at++) pairs[at] = undefined
    this.end = 0
    this.#unique = 0
    this.dropped = 0
  }

  /** An independent list with the same content. */
  copy(): AttributeList {
    const list = new AttributeList(this.limit, this.maxLength, this.#room > 0)
    list.pairs = this.pairs.slice(0, this.end)
    list.end = this.end
    list.dropped = this.dropped
    return list
  }

  /** The final attributes as an object with no prototype. */
  toObject(): Record<string, AttributeValue> {
    const result: Record<string, AttributeValue> = Object.create(null)
    for (let at = 0; at < this.end; at += 2) {
      result[this.pairs[at] as string] = release(truncate(this.pairs[at + 1], this.maxLength))
    }
    return result
  }
}

function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

/** Whether a captured value can be kept: not the mark of what cannot be, a function or a symbol. */
function isValue(value: unknown): boolean {
  return isScalar(value) || typeof value === 'object' || typeof value === 'bigint'
}

/** Cuts strings and bytes, also inside arrays and maps. */
export function truncate(value: unknown, maxLength: number): unknown {
  if (maxLength === Infinity) return value
  if (typeof value === 'string') return value.length > maxLength ? value.slice(0, maxLength) : value
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return value.subarray(0, maxLength)
  const items = Array.isArray(value) ? value : (value as { values: unknown[] }).values
  for (let i = 0; i < items.length; i++) items[i] = truncate(items[i], maxLength)
  return value
}
