import { TurnDetector } from './turn-detector.ts'

/** Entries of the simulated cache: smaller ones mistake chance for a lead. */
const ENTRIES = 128
/** What is left of the counts after each look. */
const DECAY = 0.95
/** Standard deviations by which one must be ahead to be believed. */
const CERTAINTY = 3
/** Lead in hits per read below which recency is not tried. */
const LEAST_LEAD = 0.01
/** Looks before the first judgement: a cache that has just been filled says little. */
const WARM_UP = 2
/**
 * Reads, as multiples of the simulated entries, before a trial begins, and before one is judged: a scan that turns at its ends hits
 * always after a turn and never before the next one, so that less than a whole period says nothing.
 */
const READS_TO_BEGIN = 6
const READS_TO_JUDGE = 8
/** Looks after a change during which the cache is still moving its window, and until ruin can be seen. */
const SETTLED = 8
const RUIN_SHOWS = 10
/** As many times the misses as before end a trial at once. */
const RUIN = 3
/** Looks for which recency is tried at first; twice as many each time it proves right, up to the most. */
const FIRST_TRIAL = 48
/** The same for a trial that began because main was stale. */
const FIRST_HURRIED_TRIAL = 64
const LONGEST_TRIAL = 1_024
/** Looks without a trial after one in which the cache did worse than before; twice as many each time, up to the longest trial. */
const FIRST_PENALTY = 64
const NEVER = 2 ** 30
/** Bits of a hash by which the sample is drawn: so few that they are compared as small integers. */
const SAMPLE_BITS = 30

/**
 * Decides whether recency alone would serve better than the window that the {@link WindowSizer} chose: where scans go back and forth, or
 * where only depths in an LRU stack count, no statistic of a part of the cache shows it.
 *
 * On a sample of the keys it simulates a cache, as much smaller as the sample is, that knows nothing but recency (CLOCK), and compares its
 * hits with those of the real cache on the same keys: a duel of two candidates on sampled sets (M. Qureshi et al., "Adaptive Insertion
 * Policies for High Performance Caching", ISCA 2007; for why a small cache of sampled keys stands for all see {@link Advisor}). While
 * recency leads, the window takes the whole cache. As both then behave alike, the old window is tried again from time to time.
 *
 * A scan from end to end and back is recognized by {@link TurnDetector}. All that matters there is that the cache keeps what it has, which
 * a small window does as well as LRU, and better where popular keys are read between.
 *
 * Costs a table of 128 hashes, and a look into it for each read of a sampled key. O(1), amortized.
 */
export class RecencyDuel {
  /** While true the window should be as large as it may be. */
  recent = false
  /** Set by `judge` for one look: a trial ended, and the window goes back to where it was. */
  ended = false
  /** Set by `judge`: scans go back and forth, and the window should be as small as it may be. */
  sweeping = false
  readonly #turns = new TurnDetector()
  #threshold = 0
  #hashes: Int32Array = new Int32Array(0)
  /** 1: read since the hand passed. */
  #marks: Uint8Array = new Uint8Array(0)
  /** Next place of each place, and behind those the first of each chain, as many as `#mask` and one; -1 for none. */
  #links: Int32Array = new Int32Array(0)
  #mask = 0
  #size = 0
  #hand = 0
  /** Reads of sampled keys: all, those that hit in both caches, and those that hit in one of them. */
  #reads = 0
  #both = 0
  #ownOnly = 0
  #recentOnly = 0
  #wait = WARM_UP
  /** Looks since the trial began, or since the last one ended. */
  #looks = NEVER
  #trial = FIRST_TRIAL
  /** Share of the sampled reads that hit in the real cache at the start of the trial. */
  #ownAtStart = 0
  #penalty = FIRST_PENALTY

  /** Begins anew for a cache of that many entries; 0 switches it off. O(1). */
  resize(entries: number): void {
    const size = Math.min(entries, ENTRIES)
    this.#threshold = entries === 0 ? 0 : Math.ceil((size / entries) * 2 ** SAMPLE_BITS)
    this.#hashes = new Int32Array(size)
    this.#marks = new Uint8Array(size)
    this.#mask = 2 ** Math.ceil(Math.log2(size * 2 || 1)) - 1
    this.#links = new Int32Array(size + this.#mask + 1).fill(-1)
    this.#size = this.#hand = 0
    this.#wait = WARM_UP
    this.#turns.resize(size)
    this.#forget()
  }

  /** Whether the key is in the sample. Other bits of the hash decide than those that policies place keys by. */
  samples(hash: number): boolean {
    return Math.imul(hash, 0x2c1b3c6d) >>> (32 - SAMPLE_BITS) < this.#threshold
  }

  /** A sampled key was read and was in the cache. */
  hit(hash: number): void {
    if (!this.samples(hash)) return // as the cache was resized since it came
    this.#reads++
    if (this.#read(hash)) this.#both++
    else this.#ownOnly++
  }

  /** A sampled key was not in the cache. */
  missed(hash: number): void {
    this.#reads++
    if (this.#read(hash)) this.#recentOnly++
  }

  /** Whether the first that this cache sees may be a scan that turns: main should keep what it has until that is known. O(1). */
  get turning(): boolean {
    return this.#turns.turning
  }

  /** Whether scans may be turning. O(1). */
  get suspected(): boolean {
    return this.#turns.suspected
  }

  /**
   * Once per look at the window's size. O(1).
   *
   * @param isMainStale begins a trial at once, which need not be waited for then: nothing is lost with what is in main
   */
  judge(isMainStale = false): void {
    const lead = this.#recentOnly - this.#ownOnly
    const reads = Math.max(1, this.#reads)
    const own = (this.#both + this.#ownOnly) / reads
    this.ended = false
    this.sweeping = this.#turns.sweeping
    this.#looks++
    if (this.sweeping) this.#pause()
    else if (this.recent) this.#judgeTrial(own)
    else if (isMainStale && this.#mayHurry) this.#try(own, FIRST_HURRIED_TRIAL)
    else if (this.#wait > 0) this.#wait--
    else if (
      !this.#turns.suspected &&
      reads >= READS_TO_BEGIN * this.#hashes.length &&
      lead > LEAST_LEAD * reads &&
      lead > CERTAINTY * Math.sqrt(this.#recentOnly + this.#ownOnly + 1)
    ) {
      this.#try(own, FIRST_TRIAL)
    }
    this.#recentOnly *= DECAY
    this.#ownOnly *= DECAY
    this.#both *= DECAY
    this.#reads *= DECAY
  }

  #pause(): void {
    if (this.recent) this.#looks = NEVER
    this.recent = false
    this.#forget()
  }

  /** Not while the last trial is held against recency, or scans may be turning. */
  get #mayHurry(): boolean {
    return this.#threshold > 0 && this.#wait <= WARM_UP && !this.#turns.suspected
  }

  #try(own: number, first: number): void {
    const again = this.#looks < 2 * this.#trial
    this.#trial = again ? Math.min(LONGEST_TRIAL, this.#trial * 2) : first
    this.#ownAtStart = own
    this.recent = true
    this.#looks = 0
    this.#forget()
  }

  /**
   * Ends the trial when its time is over; before, when the cache hits less than it did: where
   * nearly all keys fit, a sample may happen to fit as a whole, and then the simulated cache leads always, and is wrong.
   */
  #judgeTrial(own: number): void {
    if (this.#looks === SETTLED) this.#forget()
    if (this.#looks < RUIN_SHOWS) return
    const ruined = 1 - own > RUIN * (1 - this.#ownAtStart)
    if (!ruined && this.#reads < READS_TO_JUDGE * this.#hashes.length) return
    const chance = CERTAINTY / (2 * Math.sqrt(this.#reads))
    const worse = ruined || this.#ownAtStart - own > LEAST_LEAD + chance
    if (!worse && this.#looks < this.#trial + SETTLED) return
    if (worse) {
      this.#trial = FIRST_TRIAL
      this.#wait = this.#penalty
      this.#penalty = Math.min(LONGEST_TRIAL, this.#penalty * 2)
    } else this.#penalty = FIRST_PENALTY
    this.recent = false
    this.ended = true
    this.#looks = worse ? NEVER : 0
    this.#forget()
  }

  #forget(): void {
    this.#reads = this.#both = this.#ownOnly = this.#recentOnly = 0
  }

  /** Reads a key in the simulated cache, which takes it in if it was not there. */
  #read(hash: number): boolean {
    this.#turns.read(hash)
    const hashes = this.#hashes
    const links = this.#links
    const chain = hashes.length + (hash & this.#mask)
    let place = links[chain]!
    while (place !== -1 && hashes[place] !== hash) place = links[place]!
    if (place !== -1) {
      this.#marks[place] = 1
      return true
    }
    place = this.#size < hashes.length ? this.#size++ : this.#evict()
    hashes[place] = hash
    this.#marks[place] = 0
    links[place] = links[chain]!
    links[chain] = place
    return false
  }

  #evict(): number {
    const hashes = this.#hashes
    const links = this.#links
    let place: number
    do {
      place = this.#hand++
      if (this.#hand === hashes.length) this.#hand = 0
    } while (this.#marks[place]!-- === 1)
    let at = hashes.length + (hashes[place]! & this.#mask)
    while (links[at] !== place) at = links[at]!
    links[at] = links[place]!
    return place
  }
}
