import { DEAD, IN_MAIN, MOST_SAMPLED_HITS, SAMPLED, SIGHTS, SIGHTS_SHIFT } from './adaptive-bits.ts'
import {
  DepartedKeys,
  DISPLACED,
  departureOf,
  FORGOTTEN,
  MOST_SIGHTS,
  REFUSED,
  sightsOf,
  ticksSince,
  WITHDRAWN,
} from './departed-keys.ts'
import { lengthen } from './lengthen.ts'
import { type Policy, type PolicyState, SATURATED } from './policy.ts'
import { NOT_READ_ONCE, readOncePace } from './read-once.ts'
import { RecencyDuel } from './recency-duel.ts'
import { NONE } from './slot-queue.ts'
import { WindowSizer } from './window-sizer.ts'

/** Sights per entry after which all counts are halved. */
const SAMPLE_PER_ENTRY = 15
/** Small caches count as long as one of this many entries: where little is seen, counts of a shorter time say less; of a longer one they say what was. */
const FEWEST_ENTRIES = 160
/**
 * Entries that may leave the window without a duel per insert, while the cache fills or its window
 * shrinks.
 */
const SPILL = 4
/** Inserts between two looks at the window's size: half of what fits, at least this many. */
const SHORTEST_PERIOD = 32
/** Least frequency with which a loser may be admitted at random. */
const JITTER_FREQUENCY = 6
/** Ticks between the hits of the older and of the newer half of the oldest eighth with which both queues become one FIFO. */
const LEAST_PACE = 1.5
const ONE_SIGHT = 1 << SIGHTS_SHIFT

/**
 * The default policy: a window for what is new and a main queue for what proved popular, both FIFO
 * with second chances, so that a hit moves nothing. What leaves the window must have been seen more
 * often than the oldest of the main queue to take its place. How much of the cache is window
 * follows from what each part would earn if it were larger or smaller ({@link WindowSizer}), which
 * makes it behave like LRU, like LFU or between, as the workload asks. Whether recency alone would do better is tried on a sample of the
 * keys ({@link RecencyDuel}); then the window is an LRU queue.
 *
 * How often a key was seen is kept with its entry, in four bits, and in {@link DepartedKeys} when it leaves. It grows with every
 * miss of the key, and by the hits since its queue last turned when it is the oldest; all counts are halved periodically, so
 * that old fame fades. As long as main is hit at all, what was seen once in the cache stays so: a key that comes for the first time takes the place of none.
 *
 * A hit writes one byte, and one counter at the first hit in the window and the first three in main since its queue last turned.
 * A miss touches one bucket of the memory of departed keys, and another one for the victim.
 *
 * The queues are singly linked, which saves a column and two writes per move. A removed entry
 * therefore stays queued until it is the oldest, or until `compact`; kernel and policy share the
 * list of free slots.
 *
 * One file, as a hit and a miss must be read, and inlined, as a whole; what can stand apart does: {@link WindowSizer}, {@link DepartedKeys}.
 *
 * One in 128 losers that look popular is admitted at random, so that no client who floods the counters
 * of one victim can keep others out.
 */
export class Adaptive implements Policy {
  readonly name = 'adaptive'
  readonly hashed = true
  readonly lazy = true
  readonly owes = false
  frequency: Uint8Array = new Uint8Array(0)
  readonly #free: number[]
  readonly #departed = new DepartedKeys()
  readonly #sizer = new WindowSizer()
  readonly #duel = new RecencyDuel()
  #weights: Float64Array | null = null
  #hashes: Int32Array = new Int32Array(0)
  /**
   * When the entry came into the window, or in main was hit last or passed by the hand after a hit, in ticks of the sizer. Of
   * the hits since the hand last passed only the first three are told.
   */
  #stamps: Uint16Array = new Uint16Array(0)
  /** Next newer slot of the same queue. */
  #newer: Int32Array = new Int32Array(0)
  /** Next older slot of the window while that is an LRU queue; null while it is not. */
  #older: Int32Array | null = null
  #windowOldest: number = NONE
  #windowNewest: number = NONE
  #windowWeight = 0
  #mainOldest: number = NONE
  #mainNewest: number = NONE
  #untilLook = 0
  #sights = 0
  #sample = FEWEST_ENTRIES * SAMPLE_PER_ENTRY
  /** First frequency byte of the key announced last: how often it was seen, and whether it is in the sample. */
  #arriving = 0
  /**
   * Whether both queues are one FIFO, of which the oldest goes whatever it is. Decided when the cache is full for the first time: where keys are read once more
   * and are done then ({@link readOncePace}), a FIFO hits for as long as it takes in but one key for two reads. Had keys missed once, it would take in two, none
   * would live long enough to be read again, and nothing would tell that it was worth keeping.
   */
  #isFifo: boolean | undefined = undefined

  /** @param free where slots go that are not queued any more */
  constructor(free: number[]) {
    this.#free = free
  }

  touch(slot: number): void {
    const frequency = this.frequency[slot]!
    if (this.#older !== null && (frequency & IN_MAIN) === 0) {
      this.#renew(slot, frequency)
      return
    }
    if ((frequency & SAMPLED) === 0) this.frequency[slot] = frequency + 1
    else this.#touchSampled(slot, frequency)
    if ((frequency & IN_MAIN) !== 0) this.#hitInMain(slot)
    else if ((frequency & SATURATED) === 0) this.#sizer.hitInWindow(this.#stamps[slot]!)
  }

  arrive(hash: number): void {
    this.#count(1)
    const sampled = this.#sampled(hash)
    if (sampled !== 0) this.#missedSampled(hash)
    const recalled = this.#departed.recall(hash)
    if (recalled === FORGOTTEN) {
      this.#arriving = (1 << SIGHTS_SHIFT) | sampled
      return
    }
    this.#recalled(recalled, sampled)
  }

  insert(slot: number, hash: number): void {
    this.#hashes[slot] = hash
    this.frequency[slot] = this.#arriving
    this.#enterWindow(slot)
    if (this.#windowWeight > this.#sizer.window) this.#spill()
    if (--this.#untilLook < 0) this.#look()
  }

  /**
   * Mostly, nothing happens but that the window's oldest entry is refused: that is one line here, without a call that V8 does not put in, and
   * does what `evict` and `insert` would. Benchmark cases: cache "churn, adaptive", "Zipf get-or-set, adaptive".
   */
  exchange(hash: number): number {
    this.arrive(hash)
    const { frequency } = this
    const candidate = this.#windowOldest
    const victim = this.#mainOldest
    if (
      this.#isFifo === false &&
      this.#weights === null &&
      this.#older === null &&
      this.#windowWeight === this.#sizer.window &&
      victim !== NONE
    ) {
      const state = frequency[candidate]!
      const other = frequency[victim]!
      const sights = state >>> SIGHTS_SHIFT
      if (
        (state & SATURATED) === 0 &&
        (other & ~(SIGHTS | SAMPLED)) === IN_MAIN &&
        sights < JITTER_FREQUENCY &&
        sights <= (other >>> SIGHTS_SHIFT) + this.#sizer.margin
      ) {
        const hashes = this.#hashes
        const stamps = this.#stamps
        const newer = this.#newer
        this.#sizer.refused()
        this.#departed.remember(hashes[candidate]!, sights, REFUSED, stamps[candidate]!)
        const next = newer[candidate]!
        this.#windowOldest = next === NONE ? candidate : next
        newer[this.#windowNewest] = candidate
        newer[candidate] = NONE
        this.#windowNewest = candidate
        hashes[candidate] = hash
        frequency[candidate] = this.#arriving
        stamps[candidate] = this.#sizer.advance(1)
        if (--this.#untilLook < 0) this.#look()
        return candidate
      }
    }
    return this.#exchangeAny(hash)
  }

  /** Apart from `exchange`, so that more of that is put into its callers. */
  #exchangeAny(hash: number): number {
    const slot = this.evict()
    this.insert(slot, hash)
    return slot
  }

  restore(slot: number, hash: number, frequency: number): void {
    this.#hashes[slot] = hash
    const sampled = this.#sampled(hash)
    this.frequency[slot] = (frequency & SIGHTS) | sampled
    if ((frequency & IN_MAIN) === 0) this.#enterWindow(slot)
    else this.#enterMain(slot)
    const hits = frequency & SATURATED
    this.frequency[slot]! |= sampled === 0 ? hits : Math.min(hits, MOST_SAMPLED_HITS)
  }

  save(): PolicyState {
    return { window: this.#sizer.share, increments: this.#sights, ...this.#departed.save() }
  }

  load(state: PolicyState): void {
    this.#sizer.share = state.window
    this.#sights = Math.min(state.increments, this.#sample - 1)
    this.#departed.load(state)
  }

  evict(): number {
    this.#isFifo ??= this.#readOncePace() > LEAST_PACE
    const { frequency } = this
    while (
      this.#windowOldest !== NONE &&
      (this.#mainOldest === NONE || (!this.#isFifo && this.#windowWeight >= this.#sizer.window))
    ) {
      const candidate = this.#leaveWindow()
      const state = frequency[candidate]!
      if (isDead(state)) {
        this.#free.push(candidate)
        continue
      }
      const hits = state & SATURATED
      if (hits !== 0) this.#credit(candidate, hits)
      const victim = this.#victim()
      if (
        victim !== NONE &&
        this.#wins(
          frequency[candidate]! >>> SIGHTS_SHIFT,
          hits,
          frequency[victim]! >>> SIGHTS_SHIFT,
        )
      ) {
        this.#leaveMain()
        this.#sizer.admitted()
        this.#depart(victim, DISPLACED, this.#sizer.now)
        this.#enterMain(candidate)
        return victim
      }
      if (hits === 0 || victim === NONE) {
        this.#sizer.refused()
        this.#depart(candidate, REFUSED, this.#stamps[candidate]!)
        return candidate
      }
      this.#enterWindow(candidate)
    }
    const victim = this.#victim()
    if (victim === NONE) return this.#windowOldest === NONE ? NONE : this.evict()
    this.#leaveMain()
    if (this.#isFifo) this.#depart(victim, REFUSED, this.#stamps[victim]!)
    else this.#depart(victim, WITHDRAWN, this.#sizer.now)
    return victim
  }

  /** The slot stays queued and is not free before it leaves its queue. */
  remove(slot: number): void {
    const frequency = this.frequency[slot]!
    if ((frequency & IN_MAIN) === 0) this.#windowWeight -= this.#weight(slot)
    this.#credit(slot, frequency & SATURATED)
    this.#depart(slot, WITHDRAWN, this.#sizer.now)
    this.frequency[slot] = frequency | DEAD
  }

  reweigh(slot: number, weight: number): void {
    if ((this.frequency[slot]! & IN_MAIN) === 0) this.#windowWeight += weight - this.#weight(slot)
  }

  grow(slots: number, weights: Float64Array | null): void {
    this.frequency = lengthen(this.frequency, slots)
    this.#hashes = lengthen(this.#hashes, slots)
    this.#stamps = lengthen(this.#stamps, slots)
    this.#newer = lengthen(this.#newer, slots)
    this.#older &&= lengthen(this.#older, slots)
    this.#weights = weights
    // How many entries there will be is not known then.
    if (weights !== null) this.#duel.resize(0)
    this.#departed.grow(slots)
    this.#sample = Math.max(slots, FEWEST_ENTRIES) * SAMPLE_PER_ENTRY
  }

  resize(capacity: number): void {
    this.#sizer.resize(capacity)
    this.#duel.resize(this.#weights === null ? capacity : 0)
  }

  /** Frees the slots of removed entries. O(n). */
  compact(): void {
    const { frequency } = this
    const window = this.#queued(this.#windowOldest)
    const main = this.#queued(this.#mainOldest)
    this.#windowOldest = this.#windowNewest = this.#mainOldest = this.#mainNewest = NONE
    for (const slot of [...window, ...main]) {
      const state = frequency[slot]!
      if (isDead(state)) this.#free.push(slot)
      else if ((state & IN_MAIN) === 0) this.#appendWindow(slot)
      else this.#appendMain(slot)
    }
  }

  order(): number[] {
    const slots = [...this.#queued(this.#mainOldest), ...this.#queued(this.#windowOldest)]
    return slots.filter(slot => !isDead(this.frequency[slot]!))
  }

  #queued(oldest: number): number[] {
    const slots: number[] = []
    for (let slot = oldest; slot !== NONE; slot = this.#newer[slot]!) slots.push(slot)
    return slots
  }

  /** Apart from `arrive`, which is to be inlined, as most keys are new. */
  #recalled(recalled: number, sampled: number): void {
    this.#arriving = (Math.min(sightsOf(recalled) + 1, MOST_SIGHTS) << SIGHTS_SHIFT) | sampled
    const departure = departureOf(recalled)
    if (departure === WITHDRAWN) return
    const age = ticksSince(recalled, this.#sizer.now)
    this.#sizer.returned(age, departure === DISPLACED)
  }

  #sampled(hash: number): number {
    return this.#duel.samples(hash) ? SAMPLED : 0
  }

  /** Apart from `touch`, which is to be inlined, as few hits come here. */
  #touchSampled(slot: number, frequency: number): void {
    this.#duel.hit(this.#hashes[slot]!)
    if ((frequency & SATURATED) < MOST_SAMPLED_HITS) this.frequency[slot] = frequency + 1
  }

  #missedSampled(hash: number): void {
    this.#duel.missed(hash)
    if (this.#duel.turning) this.#sizer.keepMain()
  }

  #weight(slot: number): number {
    return this.#weights === null ? 1 : this.#weights[slot]!
  }

  /** @param hits those of the candidate since it came into the window */
  #wins(candidate: number, hits: number, victim: number): boolean {
    const { margin, marginOfHit } = this.#sizer
    if (candidate > victim + (hits > 0 ? marginOfHit : margin)) return true
    return candidate >= JITTER_FREQUENCY && Math.random() < 1 / 128
  }

  #depart(slot: number, departure: number, tick: number): void {
    const sights = this.frequency[slot]! >>> SIGHTS_SHIFT
    this.#departed.remember(this.#hashes[slot]!, sights, departure, tick)
  }

  /** Adds hits to how often the key was seen. */
  #credit(slot: number, hits: number): void {
    this.#count(hits)
    const state = this.frequency[slot]!
    const sights = Math.min((state >>> SIGHTS_SHIFT) + hits, MOST_SIGHTS)
    this.frequency[slot] = (sights << SIGHTS_SHIFT) | (state & ~SIGHTS)
  }

  #count(sights: number): void {
    this.#sights += sights
    if (this.#sights >= this.#sample) this.#fade()
  }

  #fade(): void {
    this.#sights >>>= 1
    this.#departed.halve()
    halveSights(this.frequency, this.#sizer.isMainIdle ? 0 : ONE_SIGHT)
  }

  #hitInMain(slot: number): void {
    const sizer = this.#sizer
    sizer.hitInMain(this.#stamps[slot]!)
    this.#stamps[slot] = sizer.now
  }

  #enterWindow(slot: number): void {
    const weight = this.#weight(slot)
    this.frequency[slot]! &= SIGHTS | SAMPLED
    this.#stamps[slot] = this.#sizer.advance(weight)
    this.#windowWeight += weight
    this.#appendWindow(slot)
  }

  #appendWindow(slot: number): void {
    this.#newer[slot] = NONE
    if (this.#older !== null) this.#older[slot] = this.#windowNewest
    if (this.#windowOldest === NONE) this.#windowOldest = slot
    else this.#newer[this.#windowNewest] = slot
    this.#windowNewest = slot
  }

  #leaveWindow(): number {
    const slot = this.#windowOldest
    const next = this.#newer[slot]!
    this.#windowOldest = next
    if (next === NONE) this.#windowNewest = NONE
    else if (this.#older !== null) this.#older[next] = NONE
    if (!isDead(this.frequency[slot]!)) this.#windowWeight -= this.#weight(slot)
    return slot
  }

  #enterMain(slot: number): void {
    this.frequency[slot] = (this.frequency[slot]! & (SIGHTS | SAMPLED)) | IN_MAIN
    this.#appendMain(slot)
  }

  #appendMain(slot: number): void {
    this.#newer[slot] = NONE
    if (this.#mainOldest === NONE) this.#mainOldest = slot
    else this.#newer[this.#mainNewest] = slot
    this.#mainNewest = slot
  }

  #leaveMain(): number {
    const slot = this.#mainOldest
    this.#mainOldest = this.#newer[slot]!
    return slot
  }

  /** The oldest entry of the main queue that was not hit since it was last here. It stays there. */
  #victim(): number {
    const { frequency } = this
    for (;;) {
      const slot = this.#mainOldest
      if (slot === NONE) return NONE
      const state = frequency[slot]!
      if ((state & ~(SIGHTS | SAMPLED)) === IN_MAIN) return slot
      if (this.#isFifo && !isDead(state)) return slot
      this.#leaveMain()
      if (isDead(state)) {
        this.#free.push(slot)
        continue
      }
      frequency[slot] = state - 1
      // Hits of a saturated entry were not told, so its last stamp may be as old as the last turn of the hand.
      this.#stamps[slot] = this.#sizer.now
      this.#credit(slot, 1)
      this.#appendMain(slot)
    }
  }

  #spill(): void {
    for (let left = SPILL; left > 0 && this.#windowWeight > this.#sizer.window; left--) {
      const slot = this.#leaveWindow()
      if (isDead(this.frequency[slot]!)) this.#free.push(slot)
      else this.#enterMain(slot)
    }
  }

  #readOncePace(): number {
    return readOncePace(this.#mainOldest, this.#newer, this.frequency, this.#stamps)
  }

  #look(): void {
    this.#untilLook = Math.max(SHORTEST_PERIOD, this.#hashes.length >> 1)
    if (this.#isFifo === undefined) return
    this.#isFifo &&= !this.#sizer.areManyBack && this.#readOncePace() !== NOT_READ_ONCE
    const isMainStale = this.#sizer.isMainStale && !this.#duel.suspected
    if (isMainStale && !this.#duel.recent) forgetFame(this.frequency)
    this.#duel.judge(isMainStale)
    this.#sizer.adapt(this.#duel)
    if (this.#duel.recent !== (this.#older !== null)) this.#turnWindow()
  }

  /**
   * Makes the window an LRU queue while recency is on trial, and what it was afterwards: a window of everything that spares what was
   * hit for another turn keeps much that LRU does not, and turns in jerks. O(n).
   */
  #turnWindow(): void {
    this.#older = this.#older === null ? new Int32Array(this.#newer.length) : null
    const slots = this.#queued(this.#windowOldest)
    this.#windowOldest = this.#windowNewest = NONE
    for (const slot of slots) {
      const state = this.frequency[slot]!
      if (!isDead(state)) this.frequency[slot] = state & ~SATURATED
      this.#appendWindow(slot)
    }
  }

  /** A hit in a window that is an LRU queue: the entry becomes the newest. Counted as a sight once a tick. */
  #renew(slot: number, frequency: number): void {
    const now = this.#sizer.now
    const stamp = this.#stamps[slot]!
    if ((frequency & SAMPLED) !== 0) this.#duel.hit(this.#hashes[slot]!)
    this.#sizer.hitInWindow(stamp)
    if (stamp !== now) this.#credit(slot, 1)
    this.#stamps[slot] = now
    if (slot === this.#windowNewest) return
    const older = this.#older!
    const before = older[slot]!
    const after = this.#newer[slot]!
    if (before === NONE) this.#windowOldest = after
    else this.#newer[before] = after
    older[after] = before
    this.#appendWindow(slot)
  }
}

function isDead(state: number): boolean {
  return (state & DEAD) === DEAD
}

/**
 * Apart from the class so that its loop can be replaced by compiled code while it runs.
 *
 * @param least what is left of one sight. With none, each key that comes for the first time would take the place of an entry that had been seen once: a
 * scan that comes then takes all of them
 */
function halveSights(frequency: Uint8Array, least: number): void {
  for (let slot = 0; slot < frequency.length; slot++) {
    const state = frequency[slot]!
    frequency[slot] = Math.max(least, (state >>> 1) & 0x70) | (state & ~SIGHTS)
  }
}

/** What is in main and was not hit since the hand last passed is as if seen once: its turn to go comes when anything returns. */
function forgetFame(frequency: Uint8Array): void {
  for (let slot = 0; slot < frequency.length; slot++) {
    const state = frequency[slot]!
    if ((state & ~(SIGHTS | SAMPLED)) === IN_MAIN) frequency[slot] = (state & ~SIGHTS) | ONE_SIGHT
  }
}
