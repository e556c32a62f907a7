/** Words per entry of the cache. More tell keys apart better. */
const WORDS_PER_ENTRY = 2
/** Increments per entry after which all counters are halved. */
const SAMPLE_PER_ENTRY = 15
/**
 * Small caches get as many words as one of this many entries: they see as many keys in a short
 * time.
 */
const FEWEST_ENTRIES = 256

/** Bits of the number of groups: with them a group is found by one multiplication of 32 bits. */
const GROUP_BITS = 16

/** A sketch as plain data. */
interface SavedSketch {
  readonly words: ArrayLike<number>
  readonly lowBits: number
  readonly increments: number
}

/**
 * How often keys were seen lately, whether or not they are in the cache: a count-min sketch of 4-bit counters, of which a key has
 * three; only the smallest of these are incremented, and all are halved periodically. A key's counters are in one word,
 * so that a look touches one cache line.
 *
 * G. Einziger, R. Friedman, B. Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", ACM TOS
 * 2017; conservative update: C. Estan, G. Varghese, "New Directions in Traffic Measurement and
 * Accounting", SIGCOMM 2002.
 */
export class FrequencySketch {
  #words: Uint32Array = new Uint32Array(0)
  /**
   * Words are grouped by `2 ** #lowBits`; the upper 16 bits of a hash choose the group, the lower
   * ones the word in it.
   */
  #groups = 0
  #lowBits = 0
  #increments = 0
  #sample = 0

  /** Counts one more sight of a key. O(1), but for the halving. */
  increment(hash: number): void {
    const words = this.#words
    const at = this.#place(hash)
    const word = words[at]!
    const shifts = shiftsOf(hash)
    const a = shifts & 28
    const b = (shifts >>> 5) & 28
    const c = (shifts >>> 10) & 28
    const countA = (word >>> a) & 15
    const countB = (word >>> b) & 15
    const countC = (word >>> c) & 15
    const least = Math.min(countA, countB, countC)
    if (least === 15) return
    let bits = countA === least ? 1 << a : 0
    if (countB === least) bits |= 1 << b
    if (countC === least) bits |= 1 << c
    words[at] = word + bits
    if (++this.#increments >= this.#sample) this.#halve()
  }

  /** How often the key was seen, 0 to 15. O(1). */
  frequency(hash: number): number {
    const word = this.#words[this.#place(hash)]!
    const shifts = shiftsOf(hash)
    return Math.min(
      (word >>> (shifts & 28)) & 15,
      (word >>> ((shifts >>> 5) & 28)) & 15,
      (word >>> ((shifts >>> 10) & 28)) & 15,
    )
  }

  /** Makes room for the keys around a cache of that many entries. Keeps what is known. O(n). */
  grow(entries: number): void {
    const counted = Math.max(entries, FEWEST_ENTRIES)
    const size = Math.ceil(counted * WORDS_PER_ENTRY)
    this.#sample = counted * SAMPLE_PER_ENTRY
    const lowBits = Math.max(0, 32 - Math.clz32(size) - GROUP_BITS)
    const groups = size >>> lowBits
    if (groups === this.#groups && lowBits === this.#lowBits) return
    const words = spread(this.#words, this.#groups, this.#lowBits, groups, lowBits)
    this.#groups = groups
    this.#lowBits = lowBits
    this.#words = words
  }

  /** What is known, as plain data. O(n). */
  save(): SavedSketch {
    return { words: Array.from(this.#words), lowBits: this.#lowBits, increments: this.#increments }
  }

  /** Goes on with what another sketch knew. O(n). */
  load({ words, lowBits, increments }: SavedSketch): void {
    const groups = Math.floor(words.length / 2 ** lowBits)
    this.#words = spread(words, groups, lowBits, this.#groups, this.#lowBits)
    this.#increments = Math.min(increments, this.#sample - 1)
  }

  /** Place of the hash's word, by whole-number arithmetic for any number of words. */
  #place(hash: number): number {
    const group = Math.imul(hash >>> 16, this.#groups) >>> 16
    return (group << this.#lowBits) | (hash & ((1 << this.#lowBits) - 1))
  }

  #halve(): void {
    halve(this.#words)
    this.#increments >>>= 1
  }
}

/**
 * Halves all counters; apart from the class so that its loop can be replaced by
 * compiled code while it runs.
 */
function halve(words: Uint32Array): void {
  for (let at = 0; at < words.length; at++) words[at] = (words[at]! >>> 1) & 0x77777777
}

/** Three shifts, multiples of 4 up to 28, in bits 2-4, 7-9 and 12-14. */
function shiftsOf(hash: number): number {
  return Math.imul(hash, 0x9e3779b1) >>> 16
}

/** The words of a sketch in one of another size: each gets what those knew that share its keys' bits. */
function spread(
  from: ArrayLike<number>,
  fromGroups: number,
  fromLowBits: number,
  groups: number,
  lowBits: number,
): Uint32Array {
  const words = new Uint32Array(groups << lowBits)
  if (fromGroups === 0) return words
  const mask = 2 ** lowBits - 1
  for (let word = 0; word < words.length; word++) {
    const group = Math.floor(((word >>> lowBits) / groups) * fromGroups)
    words[word] = from[(group << fromLowBits) | (word & mask & (2 ** fromLowBits - 1))]!
  }
  return words
}
