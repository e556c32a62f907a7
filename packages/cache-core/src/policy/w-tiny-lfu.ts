import { FrequencySketch } from './frequency-sketch.ts'
import { lengthen } from './lengthen.ts'
import type { Policy, PolicyState } from './policy.ts'
import { Links, NONE, SlotQueue } from './slot-queue.ts'

/** Share of the main part for entries hit since they came into it. */
const PROTECTED = 0.8
/** Share of the capacity the window has at first. */
const WINDOW = 0.01
/** Reads per entry between two moves of the window. */
const PERIOD = 10
/** How far the window moves at first, as a share of the capacity, and by what it slows down. */
const STEP = 0.0625
const DECAY = 0.98
/** Change of the hit ratio that makes the search start anew. */
const RESTART = 0.05
/** Least frequency with which a loser may be admitted at random. */
const JITTER_FREQUENCY = 6

/** Where an entry is, in the frequency byte above the two low bits. */
const [WINDOW_BIT, PROBATION_BIT, PROTECTED_BIT] = [4, 8, 16]

/**
 * W-TinyLFU: a small LRU window whose leavers must have been seen more often than the oldest entry
 * of a segmented LRU to take its place; hill climbing on the hit ratio moves the border between the
 * two.
 *
 * Strong on loops and skewed workloads. Recency with little repetition needs a large window, which
 * takes the climber a while to find.
 *
 * G. Einziger, O. Eytan, R. Friedman, B. Manes, "Adaptive Software Cache Management", Middleware
 * 2018. One in 128 losers that look popular is admitted at random, as in Caffeine, so that no client
 * can lock the cache by flooding one victim's counters.
 */
export class WTinyLfu implements Policy {
  readonly name = 'w-tinylfu'
  readonly hashed = true
  readonly lazy = false
  readonly owes = false
  /** The two low bits stay 0, so that every hit is told. */
  frequency: Uint8Array = new Uint8Array(0)
  readonly #links = new Links()
  readonly #window = new SlotQueue(this.#links)
  readonly #probation = new SlotQueue(this.#links)
  readonly #protected = new SlotQueue(this.#links)
  readonly #sketch = new FrequencySketch()
  #hashes: Int32Array = new Int32Array(0)
  #capacity = 1
  #windowCapacity = 1
  #protectedCapacity = 0
  #hits = 0
  #reads = 0
  #previousRatio = 0
  #step = 0

  touch(slot: number): void {
    this.#sketch.increment(this.#hashes[slot]!)
    const place = this.frequency[slot]!
    if (place === WINDOW_BIT) this.#window.moveToHead(slot)
    else if (place === PROTECTED_BIT) this.#protected.moveToHead(slot)
    else {
      this.#probation.unlink(slot)
      this.#push(this.#protected, PROTECTED_BIT, slot)
      this.#demote()
    }
    this.#hits++
    this.#count()
  }

  arrive(hash: number): void {
    this.#sketch.increment(hash)
    this.#count()
  }

  insert(slot: number, hash: number): void {
    this.#hashes[slot] = hash
    this.#push(this.#window, WINDOW_BIT, slot)
    this.#spill()
  }

  exchange(hash: number): number {
    this.arrive(hash)
    const slot = this.evict()
    this.insert(slot, hash)
    return slot
  }

  restore(slot: number, hash: number, frequency: number): void {
    this.#hashes[slot] = hash
    const place =
      frequency === PROBATION_BIT || frequency === PROTECTED_BIT ? frequency : WINDOW_BIT
    this.frequency[slot] = place
    this.#queueOf(slot).pushHead(slot)
    this.#spill()
    this.#demote()
  }

  save(): PolicyState {
    return { window: this.#windowCapacity / this.#capacity, ...this.#sketch.save() }
  }

  load(state: PolicyState): void {
    this.#sketch.load(state)
    this.#divide(state.window)
  }

  evict(): number {
    const victim = this.#probation.empty ? this.#protected.tail : this.#probation.tail
    if (victim === NONE) return this.#window.popTail()
    if (this.#window.weight >= this.#windowCapacity) {
      const candidate = this.#window.popTail()
      if (!this.#admits(candidate, victim)) return candidate
      this.#push(this.#probation, PROBATION_BIT, candidate)
    }
    this.#queueOf(victim).unlink(victim)
    return victim
  }

  remove(slot: number): void {
    this.#queueOf(slot).unlink(slot)
  }

  reweigh(slot: number, weight: number): void {
    this.#queueOf(slot).weight += weight - this.#links.weight(slot)
  }

  grow(slots: number, weights: Float64Array | null): void {
    this.frequency = lengthen(this.frequency, slots)
    this.#hashes = lengthen(this.#hashes, slots)
    this.#links.grow(slots, weights)
    this.#sketch.grow(slots)
  }

  resize(capacity: number): void {
    this.#capacity = capacity
    this.#step = -STEP * capacity
    this.#divide(WINDOW)
  }

  compact(): void {}

  order(): number[] {
    return [
      ...this.#probation.fromTail(),
      ...this.#protected.fromTail(),
      ...this.#window.fromTail(),
    ]
  }

  #divide(window: number): void {
    const capacity = Math.max(1, Math.round(this.#capacity * window))
    this.#windowCapacity = Math.min(capacity, this.#capacity)
    this.#protectedCapacity = Math.floor((this.#capacity - this.#windowCapacity) * PROTECTED)
    this.#spill()
    this.#demote()
  }

  #admits(candidate: number, victim: number): boolean {
    const ours = this.#sketch.frequency(this.#hashes[candidate]!)
    if (ours > this.#sketch.frequency(this.#hashes[victim]!)) return true
    return ours >= JITTER_FREQUENCY && Math.random() < 1 / 128
  }

  #push(queue: SlotQueue, place: number, slot: number): void {
    this.frequency[slot] = place
    queue.pushHead(slot)
  }

  #queueOf(slot: number): SlotQueue {
    const place = this.frequency[slot]!
    if (place === WINDOW_BIT) return this.#window
    return place === PROTECTED_BIT ? this.#protected : this.#probation
  }

  /**
   * What the window cannot hold goes to the main part, which is full only if `evict` was called.
   */
  #spill(): void {
    while (this.#window.weight > this.#windowCapacity) {
      this.#push(this.#probation, PROBATION_BIT, this.#window.popTail())
    }
  }

  #demote(): void {
    while (this.#protected.weight > this.#protectedCapacity) {
      this.#push(this.#probation, PROBATION_BIT, this.#protected.popTail())
    }
  }

  #count(): void {
    if (++this.#reads >= PERIOD * this.#hashes.length) this.#climb()
  }

  /**
   * Moves the border on in the same direction if the hit ratio rose, else back, by less each time.
   */
  #climb(): void {
    const ratio = this.#hits / this.#reads
    const change = ratio - this.#previousRatio
    const move = change >= 0 ? this.#step : -this.#step
    this.#step =
      Math.abs(change) >= RESTART ? Math.sign(move) * STEP * this.#capacity : move * DECAY
    this.#previousRatio = ratio
    this.#hits = this.#reads = 0
    const window = Math.min(
      Math.max(1, this.#windowCapacity + Math.trunc(move)),
      this.#windowCapacity + this.#protectedCapacity,
    )
    this.#protectedCapacity -= window - this.#windowCapacity
    this.#windowCapacity = window
    this.#demote()
    while (this.#window.weight < window && !this.#probation.empty) {
      this.#push(this.#window, WINDOW_BIT, this.#probation.popTail())
    }
    this.#spill()
  }
}
