import { FrequencySketch } from './frequency-sketch.ts'
import { lengthen } from './lengthen.ts'
import { type Policy, SATURATED } from './policy.ts'
import { ReturnTable } from './return-table.ts'
import { Links, NONE, SlotQueue } from './slot-queue.ts'
import { WindowSizer } from './window-sizer.ts'

/** Bit of the frequency byte: the entry is in the main queue. */
const IN_MAIN = 4
/** Entries that may leave the window without a duel per insert, while the cache fills or its window shrinks. */
const SPILL = 4
/** Inserts between two looks at the window's size: half of what fits, at least this many. */
const SHORTEST_PERIOD = 32

/**
 * The default policy: a window for what is new and a main queue for what proved popular, both FIFO with second chances, so that
 * a hit moves nothing. What leaves the window must have been seen more often than the oldest of the main queue to take
 * its place. How much of the cache is window follows from what each part would earn if it were larger or smaller
 * ({@link WindowSizer}), which makes it behave like LRU, like LFU or between, as the workload asks.
 *
 * A hit writes one byte, and at the first hit since the queue last turned one counter. A miss costs one word of the sketch, one of
 * the table of keys that left, and about two duels' reads.
 */
export class Adaptive implements Policy {
  readonly name = 'adaptive'
  readonly hashed = true
  readonly owes = false
  frequency: Uint8Array = new Uint8Array(0)
  readonly #links = new Links()
  readonly #window = new SlotQueue(this.#links)
  readonly #main = new SlotQueue(this.#links)
  readonly #sketch = new FrequencySketch()
  readonly #left = new ReturnTable()
  readonly #sizer = new WindowSizer()
  #hashes: Int32Array = new Int32Array(0)
  /** When the entry came into the window, or in main was first hit since the hand last passed, in ticks of the sizer. */
  #stamps: Uint16Array = new Uint16Array(0)
  #untilLook = 0
  #wasFull = false

  touch(slot: number): void {
    const frequency = this.frequency[slot]!
    this.frequency[slot] = frequency + 1
    if ((frequency & SATURATED) === 0) this.#firstHit(slot, frequency)
  }

  arrive(hash: number): void {
    this.#sketch.increment(hash)
    this.#left.claim(hash, this.#sizer)
  }

  insert(slot: number, hash: number): void {
    this.#hashes[slot] = hash
    this.frequency[slot] = 0
    this.#stamps[slot] = this.#sizer.advance(this.#links.weight(slot))
    this.#window.pushHead(slot)
    for (let left = SPILL; left > 0 && this.#window.weight > this.#sizer.window; left--) {
      this.#enterMain(this.#window.popTail())
    }
    if (--this.#untilLook < 0) this.#look()
  }

  evict(): number {
    this.#wasFull = true
    const { frequency } = this
    const window = this.#window
    const main = this.#main
    while (!window.empty && window.weight >= this.#sizer.window) {
      const candidate = window.popTail()
      const hash = this.#hashes[candidate]!
      const hits = frequency[candidate]!
      for (let left = hits; left > 0; left--) this.#sketch.increment(hash)
      const victim = this.#victim()
      if (victim === NONE) return candidate
      const victimHash = this.#hashes[victim]!
      const margin = hits > 0 ? 0 : this.#sizer.margin
      if (this.#sketch.frequency(hash) > this.#sketch.frequency(victimHash) + margin) {
        main.unlink(victim)
        this.#sizer.admitted()
        this.#left.admitted(victimHash, this.#sizer.now)
        this.#enterMain(candidate)
        return victim
      }
      if (hits === 0) {
        this.#sizer.refused()
        this.#left.refused(hash, this.#stamps[candidate]!)
        return candidate
      }
      frequency[candidate] = 0
      this.#stamps[candidate] = this.#sizer.advance(this.#links.weight(candidate))
      window.pushHead(candidate)
    }
    const victim = this.#victim()
    if (victim === NONE) return window.popTail()
    main.unlink(victim)
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
    this.#stamps = lengthen(this.#stamps, slots)
    this.#links.grow(slots, weights)
    this.#sketch.grow(slots)
    this.#left.grow(slots)
  }

  resize(capacity: number): void {
    this.#sizer.resize(capacity)
  }

  order(): number[] {
    return [...this.#main.fromTail(), ...this.#window.fromTail()]
  }

  #queueOf(slot: number): SlotQueue {
    return (this.frequency[slot]! & IN_MAIN) === 0 ? this.#window : this.#main
  }

  #firstHit(slot: number, frequency: number): void {
    const sizer = this.#sizer
    if ((frequency & IN_MAIN) === 0) {
      sizer.hitInWindow(this.#stamps[slot]!)
    } else {
      sizer.hitInMain(this.#stamps[slot]!)
      this.#stamps[slot] = sizer.now
    }
  }

  #enterMain(slot: number): void {
    this.frequency[slot] = IN_MAIN
    this.#main.pushHead(slot)
  }

  /** The oldest entry of the main queue that was not hit since it was last here. It stays there. */
  #victim(): number {
    const { frequency } = this
    const main = this.#main
    for (;;) {
      const slot = main.tail
      if (slot === NONE || frequency[slot] === IN_MAIN) return slot
      frequency[slot]!--
      this.#sketch.increment(this.#hashes[slot]!)
      main.moveToHead(slot)
    }
  }

  #look(): void {
    this.#untilLook = Math.max(SHORTEST_PERIOD, this.#hashes.length >> 1)
    if (this.#wasFull) this.#sizer.adapt()
  }
}
