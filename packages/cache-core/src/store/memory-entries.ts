import type { Backend, StoredValue, StoredWrite } from './backend.ts'
import { Invalidations } from './invalidations.ts'
import type { StoreCounters } from './store-counters.ts'

interface Held extends StoredValue {
  expires: number
  readonly size: number
  /** Read since it was last passed over for eviction. */
  visited: boolean
}

/** Tag names remembered before all values are visited to forget them: O(entries), rarely. */
const REMEMBERED_TAGS = 16_384

/**
 * Packed values in a `Map`. Evicts by second chance (CLOCK): a hit costs no reordering, and an eviction passes over what was
 * read since the hand last came by; amortized O(1).
 */
export class MemoryEntries implements Backend {
  readonly #maxBytes: number
  readonly #counters: StoreCounters
  /** In the order in which the hand will pass them. */
  readonly #entries = new Map<string, Held>()
  readonly #invalidations = new Invalidations()
  /** Packed bytes of keys and values held. */
  bytes = 0

  constructor(maxBytes: number, counters: StoreCounters) {
    this.#maxBytes = maxBytes
    this.#counters = counters
  }

  /** Values held, gone ones that were not yet met included. */
  get size(): number {
    return this.#entries.size
  }

  epoch(): number {
    return this.#invalidations.epoch
  }

  read(key: string, now: number): StoredValue | undefined {
    const held = this.#live(key, now)
    if (held === undefined) return undefined
    held.visited = true
    if (this.#invalidations.isExpired(key, held)) held.expires = 0
    return held
  }

  write(writes: readonly StoredWrite[], now: number): boolean[] {
    return writes.map(write => this.#write(write, now))
  }

  remove(keys: readonly string[], now: number): number {
    return keys.filter(key => {
      const held = this.#live(key, now)
      this.#invalidate('key', key, false)
      if (held !== undefined) this.#drop(key, held)
      return held !== undefined
    }).length
  }

  expire(key: string, now: number): boolean {
    const held = this.#live(key, now)
    this.#invalidate('key', key, true)
    if (held !== undefined) held.expires = 0
    return held !== undefined
  }

  invalidateTag(tag: string, expire: boolean): void {
    this.#invalidate('tag', tag, expire)
    if (this.#invalidations.tags > REMEMBERED_TAGS) this.#settleTags()
  }

  clear(expire: boolean): void {
    this.#invalidate('all', '', expire)
    if (expire) return
    this.close()
    this.#invalidations.forgetNames()
  }

  *keys(now: number): Generator<string, void, undefined> {
    for (const key of [...this.#entries.keys()]) if (this.#live(key, now) !== undefined) yield key
  }

  discard(key: string, value: StoredValue): void {
    if (this.#entries.get(key) === value) this.#drop(key, value as Held)
  }

  close(): void {
    this.#entries.clear()
    this.bytes = 0
  }

  /** The value held under a key unless it is gone. */
  #live(key: string, now: number): Held | undefined {
    const held = this.#entries.get(key)
    if (held === undefined) return undefined
    if (now < held.retained && !this.#invalidations.isDeleted(key, held)) return held
    this.#drop(key, held)
    return undefined
  }

  #write({ key, packed, expires, retained, tags, fence }: StoredWrite, now: number): boolean {
    const present = this.#live(key, now)
    if (fence === undefined) this.#invalidate('key', key, false)
    else if (!this.#invalidations.admits(fence, key, tags)) return false
    else if (present !== undefined && present.version > fence.epoch) return false
    if (present !== undefined) this.#drop(key, present)
    const size = packed.length + 2 * key.length
    if (size > this.#maxBytes) return false
    const version = fence?.epoch ?? this.#invalidations.epoch
    this.#entries.set(key, {
      packed,
      expires,
      retained,
      version,
      tags: [...tags],
      size,
      visited: false,
    })
    this.bytes += size
    while (this.bytes > this.#maxBytes) this.#evictOne(now)
    return true
  }

  #invalidate(scope: 'key' | 'tag' | 'all', name: string, expire: boolean): void {
    this.#invalidations.note(scope, name, expire, this.#invalidations.epoch + 1)
  }

  /** Applies all tag invalidations to the values, so that the tags' names can be forgotten. */
  #settleTags(): void {
    for (const [key, held] of this.#entries) {
      if (this.#invalidations.isDeleted(key, held)) this.#drop(key, held)
      else if (this.#invalidations.isExpired(key, held)) held.expires = 0
    }
    this.#invalidations.forgetNames()
  }

  #drop(key: string, held: Held): void {
    this.#entries.delete(key)
    this.bytes -= held.size
  }

  #evictOne(now: number): void {
    for (const [key, held] of this.#entries) {
      if (!held.visited || held.retained <= now) {
        this.#drop(key, held)
        this.#counters.evictions++
        return
      }
      held.visited = false
      this.#entries.delete(key)
      this.#entries.set(key, held)
    }
  }
}
