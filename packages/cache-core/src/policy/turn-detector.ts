/** Votes for a turn for each key that points to it, of which one is lost for each key that does not; and the most. */
const VOTE = 2
const MOST_VOTES = 16
/** Reads by which a key may be off the turn that others point to, and the part of its age by which it may be as other keys are read between. */
const SLACK = 4
const SLACK_SHIFT = 3
/**
 * What makes a turn believed: votes; keys that point to it for as large a part of the reads; and how much older they have become since the
 * first of them, as a part of the entries: in loops they are all of the same age.
 */
const LEAST_VOTES = 8
const LEAST_DENSITY = 0.4
const LEAST_GROWTH = 0.2
/** How much older they must have become for a turn to be suspected. */
const SUSPICIOUS_GROWTH = 4
/** The first key that points to a turn was read shortly before it, or as long before as votes for another turn lasted. */
const MOST_FIRST_AGE = 3.5 * MOST_VOTES
/**
 * Reads by which an interval between turns may differ from another one; where other keys are read between, as large a part of it as a
 * quarter of their share, and the largest.
 */
const EXACTNESS = 4
const NOISE = 1 / 4
const TOLERANCE = 1 / 16
/** Intervals in a row like one of the two before that prove a sweep, where nothing else was seen before and elsewhere, and the most that are counted. */
const FIRST_PROOF = 2
const PROOF = 3
const MOST_PROOF = 4
/** Intervals without a turn after which a sweep is over, and after which nothing else than a scan was seen before no longer holds. */
const PATIENCE = 3
const FIRST_PATIENCE = 1.5
/** Reads without a turn, as multiples of the entries, after which none is to be expected: the period of a scan over 4 times what fits. */
const LATELY = 8
/** Reads that are counted, as the table has 32 bits for each: then all begins anew. */
const MOST_READS = 2 ** 30
/** Most reads before the first turn that may be of keys that had been read: of a scan none is, popular keys among it are. */
const MOST_READ_AGAIN = 0.45

/**
 * Recognizes scans that go back and forth over more keys than fit, by the order in which keys are read again: after a turn, it is the reverse
 * of that in which they were read before, so that the moment halfway between the two reads of a key, the turn, is the same for all of them. In
 * loops all keys are of the same age, in other streams of any, so that this moment moves on.
 *
 * A vote for the majority (R. Boyer, J. Moore, "MJRTY", 1981) finds that moment, others between them notwithstanding. Turns as such are common
 * enough; a sweep from end to end and back has them at equal distances. All is counted in reads of sampled keys, which is the same whether
 * they hit or not, and whatever the cache does.
 *
 * Costs a table of four to eight words for each sampled entry, and a look into it for each read of a sampled key. O(1).
 */
export class TurnDetector {
  /** Hash and last read of sampled keys, in the place that the hash says; the later of two is kept. */
  #seen: Int32Array = new Int32Array(2)
  #entries = 0
  /** Reads of sampled keys, and those of keys that were in the table. */
  #reads = 0
  #readAgain = 0
  /** Twice the turn that is voted on; its votes; keys that pointed to it, since which read; how old the first was, and how much older the last. */
  #turn = 0
  #votes = 0
  #matches = 0
  #since = 0
  #firstAge = 0
  #growth = 0
  #isBelieved = false
  /** The last turn, in reads, and the last two intervals. */
  #lastTurn = -Infinity
  #interval = 0
  #intervalBefore = 0
  #proof = 0
  /** Whether nothing but a scan was seen since the cache was empty. */
  #isFirst = true

  /** Begins anew with a sample that stands for as many entries; 0 switches it off. O(1). */
  resize(entries: number): void {
    this.#isFirst &&= this.#reads === 0
    this.#entries = entries
    this.#seen = new Int32Array(4 << (32 - Math.clz32(entries - 1)))
    this.#reads = this.#readAgain = this.#votes = this.#growth = 0
    this.#proof = this.#interval = this.#intervalBefore = 0
    this.#lastTurn = -Infinity
  }

  /** A sampled key is read. O(1). */
  read(hash: number): void {
    if (this.#reads === MOST_READS) this.resize(this.#entries)
    const seen = this.#seen
    const at = (hash << 1) & (seen.length - 1)
    const before = seen[at] === hash ? seen[at | 1]! : 0
    seen[at] = hash
    seen[at | 1] = ++this.#reads
    if (before !== 0) this.#vote(before)
  }

  #vote(before: number): void {
    const age = this.#reads - before
    const turn = this.#reads + before
    this.#readAgain++
    if (Math.abs(turn - this.#turn) > SLACK + (age >> SLACK_SHIFT)) {
      if (--this.#votes >= 0) return
      this.#turn = turn
      this.#firstAge = age
      this.#since = this.#reads
      this.#votes = this.#matches = this.#growth = 0
      this.#isBelieved = false
      return
    }
    this.#votes = Math.min(this.#votes + VOTE, MOST_VOTES)
    this.#matches++
    this.#growth = age - this.#firstAge
    if (
      this.#isBelieved ||
      this.#votes < LEAST_VOTES ||
      this.#growth < LEAST_GROWTH * this.#entries ||
      this.#firstAge > MOST_FIRST_AGE
    ) {
      return
    }
    const density = this.#matches / (this.#reads - this.#since)
    if (density < LEAST_DENSITY) return
    this.#isBelieved = true
    this.#turned(turn / 2, Math.min(TOLERANCE, (1 - density) * NOISE))
  }

  /** Two turns of a scan over more than fits are further apart than half of what fits: closer ones are the same. */
  #turned(reads: number, tolerance: number): void {
    const interval = reads - this.#lastTurn
    if (interval <= this.#entries / 2) return
    this.#lastTurn = reads
    if (interval === Infinity) {
      this.#isFirst &&= this.#readAgain <= MOST_READ_AGAIN * this.#reads
      return
    }
    const isAlike = (other: number) =>
      Math.abs(interval - other) <= Math.max(EXACTNESS, other * tolerance)
    const alike = isAlike(this.#interval) || isAlike(this.#intervalBefore)
    this.#proof = alike ? Math.min(this.#proof + 1, MOST_PROOF) : Math.max(0, this.#proof - 1)
    this.#isFirst &&= alike || this.#interval === 0
    this.#intervalBefore = this.#interval
    this.#interval = interval
  }

  /** Whether scans go from end to end and back. O(1). */
  get sweeping(): boolean {
    const longest = Math.max(this.#interval, this.#intervalBefore)
    if (this.#reads - this.#lastTurn > PATIENCE * longest) this.#proof = 0
    return this.#proof >= (this.#isFirst ? FIRST_PROOF : PROOF)
  }

  /** Whether all that was seen since the cache was empty may be a scan, and it has turned. O(1). */
  get turning(): boolean {
    const patience = FIRST_PATIENCE * this.#interval || LATELY * this.#entries
    this.#isFirst &&= this.#reads - Math.max(0, this.#lastTurn) <= patience
    return this.#isFirst && this.#lastTurn > 0
  }

  /** Whether this may be becoming a sweep: it is turning, or intervals were alike and the last turn is not long ago. O(1). */
  get suspected(): boolean {
    if (this.turning || (this.#isFirst && this.#growth > SUSPICIOUS_GROWTH)) return true
    return this.#proof >= PROOF - 1 && this.#reads - this.#lastTurn < LATELY * this.#entries
  }
}
