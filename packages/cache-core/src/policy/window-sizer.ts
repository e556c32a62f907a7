import type { RecencyDuel } from './recency-duel.ts'

/** Ticks of the clock of pushes, and buckets of the histograms, per capacity. */
const BUCKETS = 32
const TICK_MASK = 0xffff
/** Share of the cache that is window at first, and the bounds of that share. */
const FIRST_SHARE = 0.05
const LEAST_SHARE = 0.01
const MOST_SHARE = 0.99
/** How far the window moves at once, as a share of the capacity. */
const STEP = 0.05
/** Sizes that are considered, as multiples of the present one. */
const MULTIPLES = [0.25, 0.5, 0.7, 1.4, 2, 4, 8, 16]
/**
 * The margin while scans go back and forth. After counts were halved a returning key gains one a pass; what is in main is counted when the
 * hand passes, which it seldom does then, and would be taken for less popular than what is about to go.
 */
const SWEEP_MARGIN = 3
/**
 * Many refused keys come back within the capacity where they do as often as this for each push. Main is stale where they do, and this many times as
 * often as entries of main are hit.
 */
const STALE_RETURNS = 0.15
const STALE_RATIO = 8
/** Main is idle where fewer than one of its entries is hit for as many candidates. */
const IDLE_CANDIDATES = 128
/** Looks for which candidates need a margin after a flush of the main queue was seen. */
const GUARD_LOOKS = 64

/**
 * Decides how much of the cache is window.
 *
 * Time is counted in pushes into the window, in ticks of 1/32 of the capacity. Two histograms say
 * what sizes would be worth: at which age entries of the window were first hit, or came back after
 * they were refused (a window that long would have had them); and after which gaps entries of main
 * were hit (those beyond the reach of a smaller main would be lost). Both decay by half at each
 * look, so that old phases are forgotten.
 */
export class WindowSizer {
  /** Target weight of the window. */
  window = 1
  /**
   * How much more often a candidate that was never hit must have been seen than its victim, beyond
   * once.
   */
  margin = 0
  /** The present tick, 16 bits. */
  now = 0
  #capacity = 1
  #position = 0
  #ticksPerWeight = BUCKETS
  /**
   * First hits in the window, and returns of refused keys, by age; the last bucket is for more than
   * the capacity.
   */
  readonly #ages: Float64Array = new Float64Array(BUCKETS + 1)
  /** Hits in main by the time since the last one; the last two are for the capacity and more. */
  readonly #gaps: Float64Array = new Float64Array(BUCKETS + 2)
  /** Returns of refused keys within the capacity. */
  #returns = 0
  #refused = 0
  #admitted = 0
  /** Entries of main that came back after a candidate took their place. */
  #regretted = 0
  #pushes = 0
  #lastPosition = 0
  #guard = 0
  #onTrial = false
  /** The share of the window before the trial. */
  #shareBefore = FIRST_SHARE

  resize(capacity: number): void {
    const share = this.#capacity === 1 ? FIRST_SHARE : this.share
    this.#capacity = capacity
    this.#ticksPerWeight = BUCKETS / capacity
    this.#position = this.#lastPosition = this.now / this.#ticksPerWeight
    this.share = share
  }

  /**
   * The margin of a candidate that was hit in the window: none, but while scans go back and forth: such a hit is the turn itself there, after
   * which the key is the last to be read again.
   */
  get marginOfHit(): number {
    return this.margin < SWEEP_MARGIN ? 0 : this.margin
  }

  /** The window as a share of the capacity. */
  get share(): number {
    return this.window / this.#capacity
  }

  set share(share: number) {
    this.window = Math.max(1, Math.round(this.#capacity * share))
  }

  /** Counts what comes into the window; the tick is its stamp. */
  advance(weight: number): number {
    this.#position += weight
    return (this.now = ((this.#position * this.#ticksPerWeight) >>> 0) & TICK_MASK)
  }

  hitInWindow(stamp: number): void {
    const age = (this.now - stamp) & TICK_MASK
    this.#ages[Math.min(age, BUCKETS)]!++
  }

  hitInMain(stamp: number): void {
    const gap = (this.now - stamp) & TICK_MASK
    this.#gaps[gap > BUCKETS ? BUCKETS + 1 : gap]!++
  }

  returned(age: number, fromMain: boolean): void {
    if (age > BUCKETS) return
    if (fromMain) this.#regretted++
    else {
      this.#ages[age]!++
      this.#returns++
    }
  }

  refused(): void {
    this.#refused++
  }

  admitted(): void {
    this.#admitted++
  }

  /** Until the next look, main keeps what it has: a scan is turning, and what comes back would take the place of what comes next. O(1). */
  keepMain(): void {
    this.margin = SWEEP_MARGIN
  }

  /**
   * Whether main keeps what was popular at another time while keys come back that it refused. Their counts would have to grow beyond
   * those of what they are to replace, one for each round of a loop, where LRU has the loop in one. In loops over more than fits main is hit about as
   * often as keys come back, elsewhere far more often. O(1).
   */
  get isMainStale(): boolean {
    return this.areManyBack && this.#returns > STALE_RATIO * total(this.#gaps)
  }

  /**
   * Whether so few entries of main are hit that what comes new is worth as much. Where keys come back after many capacities only, one hit for a few
   * dozen candidates is all that can be had. O(1).
   */
  get isMainIdle(): boolean {
    return total(this.#gaps) * IDLE_CANDIDATES < this.#refused + this.#admitted
  }

  /** Whether many of the keys that were refused come back within the capacity. O(1). */
  get areManyBack(): boolean {
    const pushes = this.#pushes / 2 + this.#position - this.#lastPosition
    return this.#returns > STALE_RETURNS * pushes
  }

  /**
   * Moves the window towards the size with the best balance, and lets the statistics decay. O(1).
   *
   * @param duel overrules the balance while recency is on trial, or scans go back and forth or seem to
   */
  adapt({
    recent,
    ended,
    sweeping,
    turning,
  }: Pick<RecencyDuel, 'recent' | 'ended' | 'sweeping' | 'turning'>): void {
    if (recent && !this.#onTrial) this.#shareBefore = this.share
    this.#onTrial = recent
    if (ended) this.share = this.#shareBefore
    const step = this.#part(sweeping || recent ? 1 : STEP)
    this.#pushes = this.#pushes / 2 + this.#position - this.#lastPosition
    this.#lastPosition = this.#position
    const best =
      sweeping || turning ? this.#part(LEAST_SHARE) : recent ? this.#capacity : this.#best()
    this.window = Math.min(Math.max(best, this.window - step), this.window + step)
    const flushed = this.#regretted > this.#admitted / 2 + 4
    if (sweeping || flushed) this.#guard = GUARD_LOOKS
    else if (this.#guard > 0) this.#guard--
    this.margin = sweeping || turning ? SWEEP_MARGIN : this.#guard > 0 ? 1 : 0
    decay(this.#ages)
    decay(this.#gaps)
    this.#returns /= 2
    this.#refused /= 2
    this.#admitted /= 2
    this.#regretted /= 2
  }

  /** A share of the capacity as a size of the window. */
  #part(share: number): number {
    return Math.max(1, Math.floor(this.#capacity * share))
  }

  #best(): number {
    const least = this.#part(LEAST_SHARE)
    const most = this.#part(MOST_SHARE)
    const present: Present = {
      gaps: total(this.#gaps),
      ages: this.#cumulated(this.#ages, this.window),
    }
    let best = this.window
    let bestBalance = 0
    for (const multiple of MULTIPLES) {
      const size = Math.round(this.window * multiple)
      const other = size === this.window ? size + Math.sign(multiple - 1) : size
      const candidate = Math.min(Math.max(other, least), most)
      const balance = candidate === this.window ? 0 : this.#balance(candidate, present)
      if (balance <= bestBalance) continue
      bestBalance = balance
      best = candidate
    }
    return best
  }

  /** Hits per look that another size would gain, less what it would lose and what may be chance. */
  #balance(size: number, { gaps, ages }: Present): number {
    const { window } = this
    const move = (size - window) / Math.max(1, this.#capacity - window)
    // Entries that lose their place in main will be read through the window, which then turns
    // faster.
    const speed = 1 + move * (gaps / Math.max(1, this.#pushes))
    let gain: number
    let cost: number
    if (size > window) {
      const reach = size / speed
      const change = this.#cumulated(this.#ages, reach) - ages
      gain = Math.max(0, change)
      cost = Math.max(0, -change) + move * (gaps - this.#cumulated(this.#gaps, reach))
    } else {
      const reach = Math.min(window, size / Math.max(0.2, speed))
      const refusedShare = this.#refused / (this.#refused + this.#admitted + 1)
      gain = -move * (gaps - this.#cumulated(this.#gaps, window))
      cost = refusedShare * (ages - this.#cumulated(this.#ages, reach))
    }
    return gain - cost - Math.sqrt(gain + cost)
  }

  /** Sum of a histogram up to a distance, interpolated within its bucket. */
  #cumulated(histogram: Float64Array, distance: number): number {
    const at = Math.min(BUCKETS, Math.max(0, distance * this.#ticksPerWeight))
    const whole = Math.floor(at)
    let sum = 0
    for (let bucket = 0; bucket < whole; bucket++) sum += histogram[bucket]!
    return whole < BUCKETS ? sum + (at - whole) * histogram[whole]! : sum
  }
}

/** What a look compares every size with. */
interface Present {
  /** Hits in main. */
  readonly gaps: number
  /** First hits within the window. */
  readonly ages: number
}

/** Small caches look often: a loop costs less than `reduce`. Benchmark case: cache "churn, adaptive, 1,000 strings". */
function total(histogram: Float64Array): number {
  let sum = 0
  for (let bucket = 0; bucket < histogram.length; bucket++) sum += histogram[bucket]!
  return sum
}

function decay(histogram: Float64Array): void {
  for (let bucket = 0; bucket < histogram.length; bucket++) histogram[bucket]! /= 2
}
