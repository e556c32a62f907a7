import type { Backend, Looked, StoredValue, StoredWrite } from '../backend.ts'
import { Invalidations } from '../invalidations.ts'
import type { StoreCounters } from '../store-counters.ts'

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

  lookup(keys: readonly string[], now: number): Looked {
    return { epoch: this.epoch(), found: this.readMany(keys, now) }
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

  readMany(keys: readonly string[], now: number): (StoredValue | undefined)[] {
    return keys.map(key => this.read(key, now))
  }

  write(writes: readonly StoredWrite[], now: number): boolean[] {
    const { evictions } = this.#counters
    const written = writes.map(write => this.#write(write, now))
    if (writes.length === 1 || this.#counters.evictions === evictions) return written
    // A batch may be larger than the store, and its end have pushed its beginning out.
    return writes.map(({ key }, index) => written[index]! && this.#entries.has(key))
  }

  invalidate(keys: readonly string[], expire: boolean, now: number): number {
    return keys.filter(key => {
      const held = this.#live(key, now)
      this.#invalidate('key', key, expire)
      if (held === undefined) return false
      if (expire) held.expires = 0
      else this.#drop(key, held)
      return true
    }).length
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
    // Before the new value is in, which would else be met unread while all others were read.
    while (this.bytes + size > this.#maxBytes) this.#evictOne(now)
    const version = fence?.epoch ?? this.#invalidations.epoch
    this.#entries.set(key, { packed, expires, retained, version, tags, size, visited: false })
    this.bytes += size
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
