import type { TimeSource } from '@millrace/kit'
import { KeyHasher } from '../key/key-hasher.ts'
import { hintOf } from '../key/key-hint.ts'
import { KeyIndex } from '../key/key-index.ts'
import { lengthen } from '../policy/lengthen.ts'
import { type Policy, SATURATED } from '../policy/policy.ts'
import { tellListener } from '../tell-listener.ts'
import {
  type EntryState,
  FRESH,
  GONE,
  type Guard,
  Lifetime,
  type RemovalReason,
  STALE,
} from './entry.ts'
import { type EvictMessage, evictions, isEviction } from './evict-channels.ts'
import type { Observer } from './observer.ts'

/*
 * The bounded store under every cache: a hot kernel, in one file because `find` and `store` and all that they touch on their way must be
 * read, and inlined, as a whole. Benchmark cases: cache "hit", "Zipf get-or-set", "churn".
 *
 * INTERNAL SURFACE (for `cache.ts`, `load/`, `invalidate/`)
 *
 * An entry is a *slot*: an index into columns (`keys`, `values`, ...). Slots are reused at once for
 * other keys: never keep one across an `await` or across a call that may store or remove. Keep the
 * key and look it up again.
 *
 *   find(key)            slot of a valid entry or ABSENT; counts a hit or a miss and tells the policy: what `get` is made of
 *   locate(key)          slot of whatever is stored under the key, valid, expired or retained, or ABSENT; counts nothing
 *   state(slot)          FRESH; STALE (expired, but retained for stale-while-revalidate); GONE (must not be served)
 *   store(...)           inserts or replaces; slot or ABSENT if refused (heavier than the cache, or admission is stopped)
 *   removeSlot(slot, r)  removes with a reason
 *   remove(key, r)       the same by key, true if there was a valid entry
 *   stale(slot)          ends freshness now; the entry stays for as long as it is retained
 *   clear(r)             removes all
 *
 * Columns beyond `keys` and `values` exist only once an entry needs them (null until then):
 *   expires   ms on the clock when freshness ends, Infinity = never. The clock is read only for slots below Infinity.
 *   retained  ms until which an expired entry is kept to be served stale, Infinity = until evicted; absent = as `expires`
 *   weights   what the weigher said
 *   guards    what `invalidate/` attaches to an entry (tags, version): asked on every find of that entry
 *   details   what `load/` attaches to an entry (load time, refresh state, ...): never read here, dropped with the entry
 *
 * `onRemove` of the kernel is told about every value that leaves, after the kernel is consistent
 * again. Lifetimes are set by every `store` once any entry has one, so new elements of those
 * columns need no filler.
 */

/** Result of `find`, `locate` and `store` when there is no slot. */
export const ABSENT = -1
/** Result of making room when every entry is pinned. */
const EXHAUSTED = -2

/**
 * Hints are four times as many as slots, so that few keys share one, but no more than this, which fit a processor's cache. Caches
 * of more slots than this have none: their keys do not fit it either, and reading characters costs more than it saves. Those whose
 * strings are in the table of the index have them, as it reads all characters. Benchmark case: cache "hit, 20,000 strings".
 */
const MOST_HINTS = 2 ** 15
/** Bits of a hint in the table that are the slot; above them are the lower bits of what `hintOf` said. */
const SLOT_BITS = 15
/** By how much a hint is shifted in a cache of up to 1,024 slots, whose keys three characters are to tell apart. */
const FEW_HINTS_SHIFT = 20
/**
 * Share of the reads that hints must answer to be kept, as the number of reads to one that they do not, misses included. A wrong
 * hint reads some characters of the key for nothing, a right one saves twice as much in a `Map` and five times where all characters
 * would be hashed: a share of a third pays in both. Benchmark case: cache "Zipf get-or-set".
 */
const READS_PER_DETOUR = 1.5
/** Reads without hints, for each hint there would be, after which they are tried again. */
const PATIENCE = 64

/** Lifetime of an entry that is valid until it is removed. */
const FOREVER = /* @__PURE__ */ new Lifetime()

/** Columns of a kernel at the start, in slots; they double as entries come. */
const INITIAL_SLOTS = 64

/** What a {@link Kernel} is made of. Checked by those who make one. */
export interface KernelOptions {
  /** Makes the policy, which shares the list of free slots. */
  readonly policy: (free: number[]) => Policy
  /** Entries at most. */
  readonly maxEntries: number
  /** Total weight at most. Default: Infinity */
  readonly maxWeight?: number | undefined
  /** Whether entries have weights of their own. Default: false, each weighs 1 */
  readonly weighted?: boolean | undefined
  /** ms an entry may go unread. Default: 0, any time */
  readonly idle?: number | undefined
  readonly clock: TimeSource
  readonly hasher?: KeyHasher | undefined
}

export class Kernel<K, V> {
  declare readonly index: KeyIndex<K>
  keys: (K | undefined)[] = []
  values: (V | undefined)[] = []
  expires: Float64Array | null = null
  retained: Float64Array | null = null
  weights: Float64Array | null = null
  guards: (Guard | undefined)[] | null = null
  details: unknown[] | null = null

  /** Entries at most. */
  declare maxEntries: number
  /** Total weight at most; Infinity without a weigher. */
  declare maxWeight: number
  /** Total weight of all entries; 0 without a weigher. */
  weight = 0
  /** While true only existing keys are written: memory pressure. */
  full = false
  /** ms an entry may go unread; 0 = any time. */
  declare readonly idle: number
  declare readonly clock: TimeSource
  declare policy: Policy

  hits = 0
  misses = 0
  insertions = 0
  refusals = 0
  evictions = 0
  removals: Record<RemovalReason, number> = noRemovals()
  /** Told of every value that left. May call back into the cache. */
  onRemove: ((key: K, value: V, reason: RemovalReason) => void) | null = null

  /** The policy's column, read on every hit. */
  #frequency: Uint8Array
  readonly #createPolicy: (free: number[]) => Policy
  /** Whether any entry can become invalid on its own. */
  #perishable = false
  /**
   * Whether anything is to be done on a hit but to tell the policy: the only test of that on a
   * plain cache's hit.
   */
  #watched = false
  /** `expires` if time is all that can end an entry, and nothing observes removals; else null. */
  #deadlines: Float64Array | null = null
  /**
   * No entry expires before this, so that until then no hit looks at its own deadline; -Infinity once that is past, or where entries
   * never expire, as no clock is read for those. Benchmark case: cache "hit with TTL, 1,000,000 strings".
   */
  #earliest = -Infinity
  /**
   * Slots in which keys were found last, by what `hintOf` says of them; null while that does not pay. A key found in its slot
   * needs no look-up in the index. Benchmark case: cache "hit", against `Map.get`.
   */
  #hints: Int32Array | null = null
  /** By how much a hint is shifted to be a place in that table. */
  #hintShift = 0
  /** Reads that no hint answered since they were last judged; without hints, reads less those until they are tried again. */
  #detours = 0
  #readsAtReview = 0
  #observer: Observer<K> | null = null
  /** Fixed ends of life where `idle` moves `expires`. */
  #ends: Float64Array | null = null
  /**
   * Whether the last `find` missed and nothing was stored since, and its key: a cache is mostly filled
   * by `get`, then `set` of the same key, which need not be looked up again.
   */
  #hasMissed = false
  #missed: unknown
  /** Its hash, if it is one for the table of the index. */
  #missedHash = 0
  /** Frequency byte that the next new entry had before a restart. */
  #mark = ABSENT
  #slots = 0
  /** Slots from here on were never used. */
  #fresh = 0
  /** Slots that were used and are empty. */
  readonly #free: number[] = []

  constructor({
    policy,
    maxEntries,
    maxWeight = Infinity,
    weighted = false,
    idle = 0,
    clock,
    hasher = new KeyHasher(),
  }: KernelOptions) {
    this.index = new KeyIndex(hasher, maxEntries)
    this.#createPolicy = policy
    this.policy = policy(this.#free)
    this.maxEntries = maxEntries
    this.maxWeight = maxWeight
    this.idle = idle
    this.clock = clock
    this.#perishable = this.#watched = idle !== 0
    if (weighted) this.weights = new Float64Array(0)
    this.#frequency = this.policy.frequency
    this.#start()
  }

  /** Entries now. Counted here, as reading the size of a Map is a call. */
  size = 0

  /** Values that left, by reason. */
  get removed(): Record<RemovalReason, number> {
    return { ...this.removals, evicted: this.evictions }
  }

  /** Slot of a valid entry, or ABSENT. O(1). */
  find(key: K): number {
    let slot: number
    const hints = this.#hints
    if (hints !== null && (typeof key === 'string' || typeof key === 'number')) {
      const hint = hintOf(key, this.#hintShift < FEW_HINTS_SHIFT)
      const noted = hints[hint >>> this.#hintShift]!
      slot = noted & (MOST_HINTS - 1)
      // Strings that differ are seldom compared: that takes longer than the index.
      if ((noted ^ (hint << SLOT_BITS)) >>> SLOT_BITS !== 0 || this.keys[slot] !== key) {
        slot = this.#lookUp(key, hint)
      }
    } else {
      slot = this.index.get(key, this.keys)
      if (++this.#detours === 0) this.#sizeHints(this.#slots)
    }
    if (slot === ABSENT) {
      this.misses++
      this.#hasMissed = true
      this.#missed = key
      this.#missedHash = this.index.hash
      this.#observer?.read(key, undefined)
      return ABSENT
    }
    if (this.#watched && this.#mayHavePerished(slot) && this.#hasPerished(slot, key)) {
      this.misses++
      return ABSENT
    }
    this.hits++
    if ((this.#frequency[slot]! & SATURATED) !== SATURATED) this.policy.touch(slot)
    return slot
  }

  /** Slot of the entry stored under `key`; leaves a hint to it. */
  #lookUp(key: K, hint: number): number {
    const slot = this.index.get(key, this.keys)
    const hints = this.#hints!
    if (slot !== ABSENT) hints[hint >>> this.#hintShift] = (hint << SLOT_BITS) | slot
    if (++this.#detours > hints.length) this.#judgeHints()
    return slot
  }

  /** Gives hints up for a while where too many reads are not answered by one. */
  #judgeHints(): void {
    const reads = this.hits + this.misses
    if (reads - this.#readsAtReview < this.#detours * READS_PER_DETOUR) {
      this.#detours = -PATIENCE * this.#hints!.length
      this.#hints = null
    } else {
      this.#detours = 0
    }
    this.#readsAtReview = reads
  }

  /** Makes an empty table of hints for that many slots, if they are not too many. */
  #sizeHints(slots: number): void {
    this.#detours = 0
    this.#readsAtReview = this.hits + this.misses
    if (slots > MOST_HINTS) {
      this.#hints = null
      return
    }
    this.#hintShift = Math.clz32(Math.min(slots * 4, MOST_HINTS) - 1)
    this.#hints = new Int32Array(2 ** (32 - this.#hintShift))
  }

  /** False if the entry is valid and no observer is set. */
  #mayHavePerished(slot: number): boolean {
    const deadlines = this.#deadlines
    if (deadlines === null) return true
    const deadline = this.#earliest === -Infinity ? deadlines[slot]! : this.#earliest
    return deadline !== Infinity && this.clock.now() >= deadline
  }

  /** Slot of the entry stored under `key`, or ABSENT. Counts nothing. O(1). */
  locate(key: K): number {
    return this.index.get(key, this.keys)
  }

  /** Whether the entry may be served. O(1). */
  state(slot: number): EntryState {
    const guarded = this.guards?.[slot]?.state() ?? FRESH
    if (guarded === GONE) return GONE
    if (this.expires !== null && this.expires[slot]! !== Infinity) {
      const now = this.clock.now()
      if (now >= this.expires[slot]!) {
        if (this.#ends !== null && now < this.#ends[slot]!) return GONE // idle, not stale
        return this.retained !== null && now < this.retained[slot]! ? STALE : GONE
      }
    }
    return guarded
  }

  /** Told of reads, stores and removals; null for none. */
  observe(observer: Observer<K> | null): void {
    this.#observer = observer
    this.#watch()
  }

  #watch(): void {
    this.#watched = this.#perishable || this.#observer !== null
    const timeIsAll = this.#observer === null && this.guards === null && this.idle === 0
    this.#deadlines = timeIsAll ? this.expires : null
  }

  /**
   * Rest of `find` where entries can expire or an observer is set. Removes an entry that is not even
   * served stale.
   */
  #hasPerished(slot: number, key: K): boolean {
    const state = this.#perishable ? this.state(slot) : FRESH
    this.#earliest = -Infinity
    this.#observer?.read(key, state === FRESH ? this.#weight(slot) : undefined)
    if (state === FRESH) {
      if (this.idle !== 0) this.#delayIdle(slot)
      return false
    }
    if (state === GONE) this.removeSlot(slot, this.reasonGone(slot))
    return true
  }

  #weight(slot: number): number {
    return this.weights === null ? 1 : this.weights[slot]!
  }

  /** Why an entry that is GONE must not be served. */
  reasonGone(slot: number): 'expired' | 'invalidated' {
    return this.guards?.[slot]?.state() === GONE ? 'invalidated' : 'expired'
  }

  #delayIdle(slot: number): void {
    this.expires![slot] = Math.min(this.clock.now() + this.idle, this.#ends![slot]!)
  }

  /**
   * Inserts or replaces an entry. Amortized O(1), plus one eviction for each entry that must make
   * room.
   *
   * @param weight what the weigher said; ignored without one
   * @param lifetime read before this returns, and not kept; null = valid until removed
   * @returns the slot, or ABSENT if the entry was refused (an older value under the key is gone
   *   then)
   */
  store(key: K, value: V, weight: number = 1, lifetime: Lifetime | null = null): number {
    const { index } = this
    let slot: number
    // A comparison with a key alone is one of strings, where keys are; one with anything is a call.
    if (this.#hasMissed && key === this.#missed) {
      slot = ABSENT
      index.hash = this.#missedHash
    } else {
      slot = index.get(key, this.keys)
    }
    this.#hasMissed = false
    this.#missed = undefined
    if (weight > this.maxWeight || (slot === ABSENT && this.full)) {
      return this.#refuse(key, slot)
    }
    if (slot !== ABSENT && this.weights !== null) slot = this.#reweigh(slot, weight)
    if (slot !== ABSENT) {
      this.#replace(slot, value)
    } else {
      const hash = index.isTabled(key) || !this.policy.hashed ? index.hash : index.hasher.hash(key)
      // All that a miss in a full cache mostly needs, in one line: what is below is more calls than V8 puts into one function.
      // Benchmark case: cache "churn, adaptive, 1,000 strings".
      if (lifetime === null && this.size === this.maxEntries && this.#isPlain()) {
        slot = this.policy.exchange(hash)
        if (slot !== ABSENT) {
          index.delete(this.keys[slot] as K, slot)
          index.add(key, hash, slot)
          this.keys[slot] = key
          this.values[slot] = value
          this.evictions++
          this.insertions++
          return slot
        }
      }
      this.policy.arrive(hash)
      slot = this.#makeRoom(1, weight, 'evicted')
      if (slot === EXHAUSTED) {
        return this.#refuse(key, ABSENT)
      }
      if (slot === ABSENT) slot = this.#take()
      index.add(key, hash, slot)
      this.keys[slot] = key
      this.values[slot] = value
      if (this.weights !== null) {
        this.weights[slot] = weight
        this.weight += weight
      }
      this.size++
      this.insertions++
      this.#enqueue(slot, hash)
    }
    if (lifetime !== null || this.#perishable || this.details !== null) {
      this.#begin(slot, lifetime ?? FOREVER)
    }
    this.#observer?.stored(key, this.#weight(slot))
    this.#notify()
    return slot
  }

  /** Removes the entry stored under `key`. True if that was valid. O(1). */
  remove(key: K, reason: RemovalReason): boolean {
    const slot = this.index.get(key, this.keys)
    if (slot === ABSENT) return false
    const wasFresh = !this.#perishable || this.state(slot) === FRESH
    this.removeSlot(slot, wasFresh ? reason : this.reasonGone(slot))
    return wasFresh
  }

  /** Removes the entry in `slot`. O(1). */
  removeSlot(slot: number, reason: RemovalReason): void {
    this.#drop(slot, reason)
    this.#notify()
  }

  /** Ends the freshness of an entry now; it stays for as long as it is retained. O(1). */
  stale(slot: number): void {
    const now = this.clock.now()
    const retained = this.expires === null ? Infinity : this.retainedUntil(slot)
    this.#setLifetime(slot, now, Math.max(now, retained), this.guards?.[slot])
  }

  /** When freshness ends, ms on the clock; Infinity = never. O(1). */
  expiresAt(slot: number): number {
    return this.expires === null ? Infinity : this.expires[slot]!
  }

  /** Until when the entry may be served stale, ms on the clock. O(1). */
  retainedUntil(slot: number): number {
    return this.retained === null ? this.expiresAt(slot) : this.retained[slot]!
  }

  /**
   * Removes every entry that must not be served any more, and returns how many there were. O(n).
   */
  purge(): number {
    if (!this.#perishable) return 0
    let purged = 0
    for (const [, slot] of this.entries()) {
      if (this.state(slot) !== GONE) continue
      this.removeSlot(slot, this.reasonGone(slot))
      purged++
    }
    return purged
  }

  /**
   * Keys and slots of the entries there are now, in no particular order, without those that are removed before their turn comes:
   * it ends, whatever is stored meanwhile. O(n).
   */
  *entries(): IterableIterator<[K, number]> {
    const slots = this.index.slots()
    const keys = slots.map(slot => this.keys[slot] as K)
    for (const [at, slot] of slots.entries()) {
      const key = keys[at]!
      // An empty slot has no key, which looks like the key `undefined`.
      const held = key === undefined ? this.locate(key) === slot : Object.is(this.keys[slot], key)
      if (held) yield [key, slot]
    }
  }

  /** The next new entry had this frequency byte when it was saved. */
  markNext(mark: number): void {
    this.#mark = mark
  }

  /** Makes room for that many entries at once. O(n). */
  reserve(entries: number): void {
    const slots = Math.min(entries, this.maxEntries)
    if (slots > this.#slots) this.#grow(slots)
  }

  /**
   * Hashes with the seed of a snapshot, so that its hashes mean the same keys. Only while empty.
   */
  adopt(seed: number): void {
    this.index.hasher = new KeyHasher(seed)
    this.#hasMissed = false
  }

  /** Sets all counters to 0. */
  resetStats(): void {
    this.hits = this.misses = this.insertions = this.refusals = this.evictions = 0
    this.#readsAtReview = 0
    this.removals = noRemovals()
  }

  /** Removes everything. O(n). */
  clear(reason: RemovalReason): void {
    this.removals[reason] += this.size
    if (this.onRemove !== null) {
      for (const [key, slot] of this.entries()) {
        this.#pending.push({ key, value: this.values[slot] as V, reason })
      }
    }
    this.index.clear()
    this.size = 0
    this.weight = 0
    this.#fresh = 0
    this.#free.length = 0
    this.#slots = 0
    this.keys = []
    this.values = []
    this.expires = this.retained = this.#ends = this.guards = this.details = null
    this.#perishable = this.idle !== 0
    this.#observer?.cleared()
    if (this.weights !== null) this.weights = new Float64Array(0)
    this.policy = this.#createPolicy(this.#free)
    this.#start()
    this.#notify()
  }

  /** Changes the limits and evicts what no longer fits. O(n). */
  resize(maxEntries: number, maxWeight: number): void {
    this.maxEntries = maxEntries
    this.maxWeight = maxWeight
    this.policy.resize(this.weights === null ? this.maxEntries : this.maxWeight)
    this.#makeRoom(0, 0, 'resized')
    this.#notify()
  }

  #start(): void {
    this.policy.resize(this.weights === null ? this.maxEntries : this.maxWeight)
    this.#grow(Math.min(INITIAL_SLOTS, this.maxEntries))
  }

  /** An older value must not be taken for the refused one. */
  #refuse(key: K, slot: number): number {
    this.refusals++
    if (slot !== ABSENT) this.removeSlot(slot, 'replaced')
    else this.#notify()
    this.#observer?.refused(key)
    return ABSENT
  }

  #replace(slot: number, value: V): void {
    this.removals.replaced++
    if (this.onRemove !== null) {
      const key = this.keys[slot] as K
      this.#pending.push({ key, value: this.values[slot] as V, reason: 'replaced' })
    }
    this.values[slot] = value
    if ((this.#frequency[slot]! & SATURATED) !== SATURATED) this.policy.touch(slot)
  }

  #drop(slot: number, reason: RemovalReason): void {
    const queued = !this.#isPinned(slot)
    if (queued) this.policy.remove(slot)
    this.#vacate(slot, reason)
    this.#wipe(slot)
    if (!queued || !this.policy.lazy) this.#free.push(slot)
  }

  /**
   * Gives an entry that is about to be replaced its new weight.
   *
   * @returns the slot, or ABSENT if the old value was dropped: pinned entries are unknown to the policy, and one that is too heavy
   *   for its place must not be among those that make room for it
   */
  #reweigh(slot: number, weight: number): number {
    const weights = this.weights!
    const before = weights[slot]!
    if (weight === before) return slot
    const pinned = before === 0 || weight === 0
    if (pinned || this.weight - before + weight > this.maxWeight) {
      if (!pinned) this.#mark = this.#frequency[slot]!
      this.insertions--
      this.#drop(slot, 'replaced')
      return ABSENT
    }
    this.policy.reweigh(slot, weight)
    this.weight += weight - before
    weights[slot] = weight
    return slot
  }

  /** Whether nothing is to be done for an entry that never expires but to store it, nor for one that is evicted but to forget it. */
  #isPlain(): boolean {
    return (
      !this.#watched &&
      this.weights === null &&
      this.details === null &&
      this.onRemove === null &&
      this.#mark === ABSENT &&
      !evictions.hasSubscribers
    )
  }

  /** Hands the entry to the policy, unless it is pinned: then no hit is told either. */
  #enqueue(slot: number, hash: number): void {
    if (this.#isPinned(slot)) {
      this.#frequency[slot] = SATURATED
    } else if (this.#mark === ABSENT) {
      this.policy.insert(slot, hash)
    } else {
      this.policy.restore(slot, hash, this.#mark)
    }
    this.#mark = ABSENT
  }

  #isPinned(slot: number): boolean {
    return this.weights !== null && this.weights[slot] === 0
  }

  /**
   * Evicts until that many entries more, of this weight, fit.
   *
   * @returns the last slot emptied if the caller is to use it, ABSENT if there was none, EXHAUSTED
   *   if nothing is left to evict
   */
  #makeRoom(entries: number, weight: number, reason: RemovalReason): number {
    const { policy } = this
    let slot = ABSENT
    while (
      this.size + entries > this.maxEntries ||
      this.weight + weight > this.maxWeight ||
      policy.owes
    ) {
      const victim = policy.evict()
      if (slot !== ABSENT) this.#release(slot)
      if (victim === ABSENT) {
        // What is left is pinned and weighs nothing, whatever the sum was rounded to.
        this.weight = 0
        return this.size + entries > this.maxEntries ? EXHAUSTED : ABSENT
      }
      this.#vacate(victim, reason)
      slot = victim
    }
    if (entries !== 0 || slot === ABSENT) return slot
    this.#release(slot)
    return ABSENT
  }

  #release(slot: number): void {
    this.#wipe(slot)
    this.#free.push(slot)
  }

  /** An empty slot. */
  #take(): number {
    if (this.#free.length !== 0) return this.#free.pop()!
    if (this.#fresh === this.#slots && !this.#extend()) {
      this.policy.compact()
      return this.#free.pop()!
    }
    return this.#fresh++
  }

  /**
   * Lengthens the columns. False if they are as long as they may be: removed entries hold slots
   * then.
   */
  #extend(): boolean {
    // Eight removals pay for one compaction.
    const most = this.policy.lazy ? this.maxEntries + (this.maxEntries >> 3) + 1 : this.maxEntries
    if (this.#slots >= most) return false
    this.#grow(this.#slots < this.maxEntries ? Math.min(this.#slots * 2, this.maxEntries) : most)
    return true
  }

  /** Empties a slot that the policy no longer knows. */
  #vacate(slot: number, reason: RemovalReason): void {
    const key = this.keys[slot] as K
    this.index.delete(key, slot)
    this.size--
    // The common reason has a counter of its own, which need not be found by name.
    if (reason === 'evicted') this.evictions++
    else this.removals[reason]++
    this.#observer?.removed(key, reason)
    if (this.onRemove !== null || evictions.hasSubscribers) {
      this.#pending.push({ key, value: this.values[slot] as V, reason })
    }
    // Sums of fractions are rounded: what is left of them ends with the last entry.
    if (this.weights !== null) this.weight = this.size && this.weight - this.weights[slot]!
  }

  /**
   * Drops what an empty slot still refers to, which the next entry does where it takes the slot
   * over at once.
   */
  #wipe(slot: number): void {
    this.keys[slot] = undefined
    this.values[slot] = undefined
    if (this.guards !== null) this.guards[slot] = undefined
    if (this.details !== null) this.details[slot] = undefined
  }

  #begin(slot: number, { expires, retained, guard, detail }: Lifetime): void {
    if (expires !== Infinity || this.#perishable || guard !== undefined) {
      this.#setLifetime(slot, expires, retained, guard)
    }
    if (detail !== undefined || this.details !== null) this.setDetail(slot, detail)
  }

  #setLifetime(slot: number, expires: number, retained: number, guard: Guard | undefined): void {
    this.#perishable = true
    if (this.expires === null && (expires !== Infinity || this.idle !== 0)) {
      this.expires = new Float64Array(this.#slots).fill(Infinity)
      this.#earliest = this.size > 1 ? -Infinity : Infinity
      if (this.idle !== 0) this.#ends = new Float64Array(this.#slots).fill(Infinity)
    }
    if (this.expires !== null) this.expires[slot] = expires
    this.#earliest = Math.min(this.#earliest, expires === Infinity ? -Infinity : expires)
    if (this.#ends !== null) {
      this.#ends[slot] = expires
      this.#delayIdle(slot)
    }
    if (this.retained === null && retained !== expires) {
      this.retained = Float64Array.from(this.expires!)
    }
    if (this.retained !== null) this.retained[slot] = retained
    if (this.guards === null && guard !== undefined) {
      this.guards = new Array<Guard | undefined>(this.#slots).fill(undefined)
    }
    if (this.guards !== null) this.guards[slot] = guard
    this.#watch()
  }

  /** Attaches what `load/` wants to remember of an entry. O(1), O(n) the first time. */
  setDetail(slot: number, detail: unknown): void {
    this.details ??= new Array<unknown>(this.#slots).fill(undefined)
    this.details[slot] = detail
  }

  #grow(slots: number): void {
    this.keys = lengthenList(this.keys, slots)
    this.values = lengthenList(this.values, slots)
    this.guards &&= lengthenList(this.guards, slots)
    this.details &&= lengthenList(this.details, slots)
    this.expires &&= lengthen(this.expires, slots)
    this.retained &&= lengthen(this.retained, slots)
    this.#ends &&= lengthen(this.#ends, slots)
    this.weights &&= lengthen(this.weights, slots)
    this.policy.grow(slots, this.weights)
    this.#frequency = this.policy.frequency
    this.#slots = slots
    this.#watch()
    this.#sizeHints(slots)
  }

  /** Removals not yet told, from `#told` on. */
  readonly #pending: { key: K; value: V; reason: RemovalReason }[] = []
  #told = 0

  /**
   * Tells of removals; what a listener removes is told before it goes on. Apart from the loop so that it is inlined, as there seldom
   * is a listener to tell.
   */
  #notify(): void {
    if (this.#pending.length !== 0) this.#notifyAll()
  }

  #notifyAll(): void {
    const pending = this.#pending
    while (this.#told < pending.length) {
      const { key, value, reason } = pending[this.#told++]!
      const message: EvictMessage | null =
        isEviction(reason) && evictions.hasSubscribers ? { key, reason } : null
      if (message !== null) evictions.start.publish(message)
      const { onRemove } = this
      const failure = onRemove && tellListener('onRemove', () => onRemove(key, value, reason))
      if (message === null) continue
      if (failure) message.error = failure.cause
      evictions.end.publish(message)
    }
    pending.length = this.#told = 0
  }
}

function noRemovals(): Record<RemovalReason, number> {
  return {
    evicted: 0,
    expired: 0,
    deleted: 0,
    replaced: 0,
    invalidated: 0,
    cleared: 0,
    resized: 0,
  }
}

/** A copy of a list with exactly this length; appending would reserve half as much again. */
function lengthenList<T>(list: (T | undefined)[], length: number): (T | undefined)[] {
  const grown = new Array<T | undefined>(length).fill(undefined)
  for (let slot = 0; slot < list.length; slot++) grown[slot] = list[slot]
  return grown
}
