/** Words of memory per entry of the cache. */
const WORDS_PER_ENTRY = 1.5
/** Words of a bucket: half a cache line. */
const WAY_BITS = 3
const WAYS = 2 ** WAY_BITS
/** Small caches remember as much as one of this many entries: they lose as many keys in a short time. */
const FEWEST_ENTRIES = 256
/** Bits of the number of groups: with them a group is found by one multiplication of 32 bits. */
const GROUP_BITS = 16

/*
 * A word: bits 0-3 how often the key was seen, 4-5 how it left, 6-14 the tick at which it left, 15-31 a part of its hash. The
 * place of its bucket is another part.
 */
const COUNT_MASK = 15
const DEPARTURE_SHIFT = 4
const DEPARTURE_MASK = 3
const TICK_SHIFT = 6
const TICK_BITS = 9
const TICK_MASK = 2 ** TICK_BITS - 1
const MOST_WORTH = 2 ** 30
/** A key is remembered 64 ticks longer for each time it was seen: two capacities of pushes. Above the bits of the way. */
const SIGHT_WORTH_SHIFT = 6 + WAY_BITS
const TAG_SHIFT = 15

/** Most sights that are counted. */
export const MOST_SIGHTS = 15

/** How a key left: nothing is to be learned from it. */
export const WITHDRAWN = 0
/** How a key left: its entry lost the duel at the window's end. */
export const REFUSED = 1
/** How a key left: another entry took its place in main. */
export const DISPLACED = 2

/** What `recall` returns for a key that is not remembered. */
export const FORGOTTEN = -1

/** Memory of departed keys as plain data. */
export interface SavedDepartures {
  readonly words: ArrayLike<number>
  readonly lowBits: number
}

/**
 * What a policy knows of keys that are no longer in the cache: how often each was seen, how and when it left. The counts of keys
 * in the cache are kept with their entries, so a miss looks here once, for its key, and an eviction once, for the victim; a
 * duel between two entries not at all.
 *
 * A set-associative table of tagged words; of a full bucket the key seen least is forgotten, but one that left long ago before those that left
 * lately, as else what was popular at another time would leave no room for what comes now.
 * Counts are exact for as long as a key is remembered. A count-min sketch of that size, as TinyLFU has it, counts every key
 * of the last fifteen capacities' worth, but so many share its counters that it gives less, and one of twice the size hardly more
 * (benchmarks/results/hit-ratio-notes.md). A wrong match of tags, once in 16,000 look-ups, misleads one count.
 */
export class DepartedKeys {
  #words: Int32Array = new Int32Array(0)
  /** Buckets are grouped by `2 ** #lowBits`; the upper 16 bits of a hash choose the group, the lower ones the bucket in it. */
  #groups = 0
  #lowBits = 0

  /** What is known of a key, which is forgotten here, or FORGOTTEN. See `sightsOf`, `departureOf`, `ticksSince`. O(1). */
  recall(hash: number): number {
    const words = this.#words
    const start = this.#place(hash)
    const tag = hash << TAG_SHIFT
    for (let way = 0; way < WAYS; way++) {
      const word = words[start | way]!
      if ((word ^ tag) >>> TAG_SHIFT === 0 && word !== 0) {
        words[start | way] = 0
        return word & ((1 << TAG_SHIFT) - 1)
      }
    }
    return FORGOTTEN
  }

  /** Remembers a key that leaves. O(1). */
  remember(hash: number, sights: number, departure: number, tick: number): void {
    const words = this.#words
    const start = this.#place(hash)
    let least = MOST_WORTH
    const now = (tick + 1) << WAY_BITS
    for (let way = 0; way < WAYS; way++) {
      const word = words[start | way]!
      const freshness = ((word >>> (TICK_SHIFT - WAY_BITS)) - now) & (TICK_MASK << WAY_BITS)
      const worth = (((word & COUNT_MASK) << SIGHT_WORTH_SHIFT) + freshness) | way
      const less = (worth - least) | 0
      // Arithmetic instead of a branch: which word is worth least cannot be foreseen. Benchmark case: cache "churn".
      least = (least + (less & (less >> 31))) | 0
    }
    words[start | (least & (WAYS - 1))] =
      (hash << TAG_SHIFT) |
      ((tick & TICK_MASK) << TICK_SHIFT) |
      (departure << DEPARTURE_SHIFT) |
      sights
  }

  /** Halves all counts. O(n). */
  halve(): void {
    halve(this.#words)
  }

  /** Makes room for the keys around a cache of that many entries. Keeps most of what is known. O(n). */
  grow(entries: number): void {
    const buckets = Math.ceil((Math.max(entries, FEWEST_ENTRIES) * WORDS_PER_ENTRY) / WAYS)
    const lowBits = Math.max(0, 32 - Math.clz32(buckets) - GROUP_BITS)
    const groups = buckets >>> lowBits
    if (groups === this.#groups && lowBits === this.#lowBits) return
    this.#words = spread(this.#words, this.#groups, this.#lowBits, groups, lowBits)
    this.#groups = groups
    this.#lowBits = lowBits
  }

  /** What is known, as plain data. O(n). */
  save(): SavedDepartures {
    return { words: Array.from(this.#words, word => word >>> 0), lowBits: this.#lowBits }
  }

  /** Goes on with the counts that another cache knew; its ticks mean nothing here. O(n). */
  load({ words, lowBits }: SavedDepartures): void {
    const groups = Math.floor(words.length / WAYS / 2 ** lowBits)
    const counts = Array.from(words, word => word & ~(DEPARTURE_MASK << DEPARTURE_SHIFT))
    this.#words = spread(counts, groups, lowBits, this.#groups, this.#lowBits)
  }

  /**
   * Place of the hash's bucket, by whole-number arithmetic for any number of buckets. It is even, and shifts and bits are used here
   * and where it is read, not `*` and `+`, for which V8 may take floating-point numbers: that was a third of a look-up.
   */
  #place(hash: number): number {
    const group = Math.imul(hash >>> 16, this.#groups) >>> 16
    return ((group << this.#lowBits) | (hash & ((1 << this.#lowBits) - 1))) << WAY_BITS
  }
}

/** How often a recalled key was seen. */
export function sightsOf(recalled: number): number {
  return recalled & COUNT_MASK
}

/** How a recalled key left. */
export function departureOf(recalled: number): number {
  return (recalled >>> DEPARTURE_SHIFT) & DEPARTURE_MASK
}

/** Ticks since a recalled key left, modulo 512. */
export function ticksSince(recalled: number, now: number): number {
  return (now - (recalled >>> TICK_SHIFT)) & TICK_MASK
}

/** Apart from the class so that its loop can be replaced by compiled code while it runs. */
function halve(words: Int32Array): void {
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!
    words[at] = (word & ~COUNT_MASK) | ((word & COUNT_MASK) >>> 1)
  }
}

/**
 * The buckets of a table in one of another size: each gets what that one knew in which most of its keys were. The others' are
 * forgotten, none where the size doubles.
 */
function spread(
  from: ArrayLike<number>,
  fromGroups: number,
  fromLowBits: number,
  groups: number,
  lowBits: number,
): Int32Array {
  const words = new Int32Array((groups << lowBits) * WAYS)
  if (fromGroups === 0) return words
  const mask = 2 ** lowBits - 1
  for (let bucket = 0; bucket < words.length / WAYS; bucket++) {
    const group = Math.floor((((bucket >>> lowBits) + 0.5) / groups) * fromGroups)
    const old = (group << fromLowBits) | (bucket & mask & (2 ** fromLowBits - 1))
    for (let way = 0; way < WAYS; way++) words[bucket * WAYS + way] = from[old * WAYS + way]!
  }
  return words
}
