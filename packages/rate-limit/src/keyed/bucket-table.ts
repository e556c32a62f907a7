import { checkKey } from './check-key.ts'

/** Buckets looked at, from the hand on, for one to give up when a new key comes. */
const PROBES_WHEN_FULL = 16

/** The same while there is room: two per new key keep the table near the number of keys in use. */
const PROBES = 2

/** Up to this many keys, some 400 kB, none is given up: keys that come back soon need not be made anew. */
const UNSWEPT = 4_096

/**
 * Virtual times (see {@link GcraArithmetic}) by key, in a bounded table: 8 bytes each beside the key's map entry.
 *
 * A bucket that is full again is the same as none, so a hand sweeps over the table as new keys come and gives such
 * places to them; no timer is needed. Only when `maxKeys` are in use at once is a bucket given up that still holds a
 * debt: the one nearest to full of those looked at, so that a flood of new keys displaces itself first.
 */
export class BucketTable {
  /** Virtual time by place, ms. */
  slots: Float64Array
  /** By place until when nothing passes, ms; undefined while no key was ever blocked. */
  blocks: Float64Array | undefined = undefined
  readonly #places = new Map<string, number>()
  readonly #keys: (string | undefined)[] = []
  readonly #free: number[] = []
  readonly #maxKeys: number
  #hand = 0
  /** Buckets given up while they still held a debt. */
  evicted = 0

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys
    this.slots = new Float64Array(Math.min(maxKeys, 64))
  }

  get size(): number {
    return this.#places.size
  }

  /** The place of a key, or undefined if its bucket is full. */
  find(key: string): number | undefined {
    return this.#places.get(key)
  }

  /**
   * Makes a place for a new key, with a full bucket.
   *
   * @param floor virtual time of a full bucket now
   * @param pinned keys whose places must stay
   */
  add(key: string, floor: number, pinned: { has(key: string): boolean }): number {
    // One that is no string is never known, so that this is enough.
    checkKey(key)
    this.#sweep(floor, pinned)
    const place = this.#free.pop() ?? this.#grow()
    this.#places.set(key, place)
    this.#keys[place] = key
    this.slots[place] = floor
    if (this.blocks !== undefined) this.blocks[place] = -Infinity
    return place
  }

  /** Lets nothing pass at a place before a time. */
  block(place: number, until: number): void {
    this.blocks ??= new Float64Array(this.slots.length).fill(-Infinity)
    this.blocks[place] = until
  }

  /** Until when nothing passes at a place; -Infinity where nothing is blocked. */
  blockedUntil(place: number): number {
    return this.blocks === undefined ? -Infinity : this.blocks[place]!
  }

  /** The virtual time of a key, which is that of a full bucket where it has no place. */
  slotOf(key: string, full: number): number {
    const place = this.#places.get(key)
    return place === undefined ? full : this.slots[place]!
  }

  /** As {@link blockedUntil}, of a key that may have no place. */
  blockOf(key: string): number {
    const place = this.#places.get(key)
    return place === undefined ? -Infinity : this.blockedUntil(place)
  }

  delete(key: string): boolean {
    const place = this.#places.get(key)
    if (place === undefined) return false
    this.#remove(place)
    return true
  }

  #sweep(floor: number, pinned: { has(key: string): boolean }): void {
    const length = this.#keys.length
    if (length < UNSWEPT && length < this.#maxKeys) return
    const full = this.#places.size >= this.#maxKeys
    const probes = Math.min(length, full ? PROBES_WHEN_FULL : PROBES)
    let nearest = -1
    for (let i = 0; i < probes; i++) {
      this.#hand = this.#hand + 1 < length ? this.#hand + 1 : 0
      const key = this.#keys[this.#hand]
      if (key === undefined || pinned.has(key)) continue
      const slot = this.slots[this.#hand]!
      if (slot <= floor) this.#remove(this.#hand)
      else if (nearest < 0 || slot < this.slots[nearest]!) nearest = this.#hand
    }
    if (this.#places.size < this.#maxKeys || nearest < 0) return
    this.#remove(nearest)
    this.evicted++
  }

  #remove(place: number): void {
    this.#places.delete(this.#keys[place]!)
    this.#keys[place] = undefined
    this.#free.push(place)
  }

  #grow(): number {
    const place = this.#keys.length
    this.#keys.push(undefined)
    if (place >= this.slots.length) {
      const grown = new Float64Array(Math.max(64, this.slots.length * 2))
      grown.set(this.slots)
      this.slots = grown
      if (this.blocks !== undefined) {
        const blocks = new Float64Array(grown.length).fill(-Infinity)
        blocks.set(this.blocks)
        this.blocks = blocks
      }
    }
    return place
  }
}
