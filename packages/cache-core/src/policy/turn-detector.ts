/** Ticks of pushes for which it is remembered when keys came. */
const REMEMBERED = 128
/** Ticks have 16 bits. */
const TICK_MASK = 0xffff
/** Halves of a tick by which a key may be off the turn that others point to: the ticks are rounded. */
const ROUNDING = 2
/** Votes for a turn for each key that points to it, of which one is lost for each key that does not; and the most. */
const VOTE = 2
const MOST_VOTES = 64
/** Votes, and how much older returning keys must have become since the first one, in ticks, before a turn is believed. */
const LEAST_VOTES = 8
const LEAST_SPAN = 12
/** Part of an interval between turns by which the next one may differ. */
const TOLERANCE = 1 / 16
/** Intervals in a row like one of the two before that prove a sweep, and the most that are counted. */
const PROOF = 2
const MOST_PROOF = 3
/** Intervals without a turn after which the sweep is over. */
const PATIENCE = 3
/** Reads since a turn, as multiples of the entries, up to which it counts: the period of a scan over 4 times what fits. */
const LATELY = 8

/**
 * Recognizes scans that go back and forth over more keys than fit, by the order in which keys come back: after a turn, it is the reverse
 * of that in which they came, so that the moment halfway between the two reads of a key, the turn, is the same for all of them. In loops all
 * keys are of the same age, in other streams of any, so that this moment moves on.
 *
 * A vote for the majority (R. Boyer, J. Moore, "MJRTY", 1981) finds that moment among the keys that came back after they were refused,
 * others between them notwithstanding. Turns as such are common enough; a sweep from end to end and back has them at equal distances, which
 * are counted in reads of sampled keys, as the pushes between two turns change with the size of the window.
 *
 * Costs 0.5 kB, a few comparisons for each miss of a remembered key, and a write per tick. O(1).
 */
export class TurnDetector {
  /** Sampled reads at the beginning of each of the last ticks. */
  readonly #readsAt: Int32Array = new Int32Array(REMEMBERED)
  #tick = 0
  /** Entries of the sample, and its reads until now. */
  #entries = 0
  #reads = 0
  /** The turn that is voted on, in halves of a tick; its votes, how old its first key was, and whether it was believed. */
  #turn = 0
  #votes = 0
  #firstAge = 0
  #believed = false
  /** The last turn, in sampled reads, and the last two intervals. */
  #lastTurn = -Infinity
  #interval = 0
  #intervalBefore = 0
  #proof = 0

  /** Begins anew with a sample that stands for as many entries; 0 switches it off. O(1). */
  resize(entries: number): void {
    this.#entries = entries
    this.#votes = this.#proof = this.#interval = this.#intervalBefore = 0
    this.#lastTurn = -Infinity
  }

  /** A sampled key was read. */
  read(): void {
    this.#reads++
  }

  /** Keys are pushed at that tick of 16 bits. Amortized O(1). */
  advance(tick: number): void {
    if (tick !== this.#tick) this.#advance(tick)
  }

  #advance(tick: number): void {
    const ticks = (tick - this.#tick) & TICK_MASK
    // A resize rounds the time, which may then be a tick earlier. Benchmark case: tiers "under memory pressure".
    if (ticks > TICK_MASK / 2) return
    this.#tick = tick
    for (let back = Math.min(ticks, REMEMBERED) - 1; back >= 0; back--) {
      this.#readsAt[(tick - back) & (REMEMBERED - 1)] = this.#reads
    }
  }

  /** A key came back that was refused; it had come as many ticks ago. O(1). */
  returned(age: number): void {
    if (age >= REMEMBERED) return
    const turn = 2 * this.#tick - age
    if (Math.abs(((turn - this.#turn) << 15) >> 15) > ROUNDING) {
      if (--this.#votes >= 0) return
      this.#turn = turn
      this.#votes = 0
      this.#firstAge = age
      this.#believed = false
      return
    }
    this.#votes = Math.min(this.#votes + VOTE, MOST_VOTES)
    if (this.#believed || this.#votes < LEAST_VOTES || age - this.#firstAge < LEAST_SPAN) return
    this.#believed = true
    const came = this.#readsAt[(this.#tick - age) & (REMEMBERED - 1)]!
    this.#turned((this.#reads + came) / 2)
  }

  /** Whether scans go from end to end and back. O(1). */
  get sweeping(): boolean {
    const longest = Math.max(this.#interval, this.#intervalBefore)
    if (this.#reads - this.#lastTurn > PATIENCE * longest) this.#proof = 0
    return this.#proof >= PROOF
  }

  /** Whether this may be becoming a sweep: two intervals were alike, and the last turn is not long ago. O(1). */
  get suspected(): boolean {
    return this.#proof > 0 && this.#reads - this.#lastTurn < LATELY * this.#entries
  }

  /** Two turns of a scan over more than fits are further apart than half of what fits: closer ones are the same. */
  #turned(reads: number): void {
    const interval = reads - this.#lastTurn
    if (interval <= this.#entries / 2 || this.#entries === 0) return
    this.#lastTurn = reads
    if (interval === Infinity) return
    const alike = isAlike(interval, this.#interval) || isAlike(interval, this.#intervalBefore)
    this.#proof = alike ? Math.min(this.#proof + 1, MOST_PROOF) : Math.max(0, this.#proof - 1)
    this.#intervalBefore = this.#interval
    this.#interval = interval
  }
}

function isAlike(interval: number, other: number): boolean {
  return Math.abs(interval - other) <= Math.max(4, other * TOLERANCE)
}
