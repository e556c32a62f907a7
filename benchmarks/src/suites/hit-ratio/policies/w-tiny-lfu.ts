import { FrequencySketch } from './frequency-sketch.ts'
import { IdQueues } from './id-queues.ts'
import type { Policy, PolicyOptions } from './policy.ts'

const [window, probation, protectedMain] = [0, 1, 2]

/** How far the window moves at once at first, as a share of the capacity. */
const firstStep = 0.0625
/** A change of the hit ratio from which the search starts anew. */
const restart = 0.05
const decay = 0.98

export interface WTinyLfuOptions extends PolicyOptions {
  /** Share of the capacity that new entries get before they must win against the main part's oldest. */
  readonly window: number
  /** Move the window by hill climbing on the hit ratio. */
  readonly adaptive?: boolean
}

/**
 * W-TinyLFU: a window LRU whose leavers enter a segmented LRU only when the sketch counted them more often than its victim.
 * As Caffeine has it, with its reactive climber when `adaptive`, but without the random admission that defends against hash
 * floods, so that replays repeat exactly. Entries of size 1 only.
 */
export class WTinyLfu implements Policy {
  readonly #capacity: number
  readonly #queues: IdQueues
  readonly #sketch: FrequencySketch
  readonly #adaptive: boolean
  #windowCapacity: number
  #protectedCapacity: number
  #hits = 0
  #reads = 0
  #previousRatio = 0
  #step: number

  constructor({ capacity, distinct, window: share, adaptive = false }: WTinyLfuOptions) {
    this.#capacity = capacity
    this.#queues = new IdQueues(distinct, 3)
    this.#sketch = new FrequencySketch(capacity)
    this.#adaptive = adaptive
    this.#windowCapacity = Math.max(1, Math.round(capacity * share))
    this.#protectedCapacity = Math.floor((capacity - this.#windowCapacity) * 0.8)
    this.#step = -firstStep * capacity
  }

  access(id: number): boolean {
    this.#sketch.increment(id)
    const hit = this.#touch(id)
    if (this.#adaptive) this.#climb(hit)
    return hit
  }

  #touch(id: number): boolean {
    const queues = this.#queues
    switch (queues.queueOf(id)) {
      case window:
        queues.moveToHead(window, id)
        return true
      case probation:
        queues.moveToHead(protectedMain, id)
        this.#demote()
        return true
      case protectedMain:
        queues.moveToHead(protectedMain, id)
        return true
    }
    queues.pushHead(window, id, 1)
    if (queues.weight[window]! > this.#windowCapacity) this.#leaveWindow()
    return false
  }

  #leaveWindow(): void {
    const queues = this.#queues
    const candidate = queues.tail(window)
    const { weight } = queues
    if (weight[window]! + weight[probation]! + weight[protectedMain]! <= this.#capacity) {
      queues.moveToHead(probation, candidate)
      return
    }
    const oldest = queues.tail(probation)
    const victim = oldest >= 0 ? oldest : queues.tail(protectedMain)
    if (victim < 0 || this.#sketch.frequency(candidate) <= this.#sketch.frequency(victim)) {
      queues.remove(candidate)
      return
    }
    queues.remove(victim)
    queues.moveToHead(probation, candidate)
  }

  #demote(): void {
    const queues = this.#queues
    while (queues.weight[protectedMain]! > this.#protectedCapacity) {
      queues.moveToHead(probation, queues.tail(protectedMain))
    }
  }

  #climb(hit: boolean): void {
    if (hit) this.#hits++
    if (++this.#reads < 10 * this.#capacity) return
    const ratio = this.#hits / this.#reads
    const change = ratio - this.#previousRatio
    const amount = change >= 0 ? this.#step : -this.#step
    this.#step =
      Math.abs(change) >= restart
        ? Math.sign(amount) * Math.max(firstStep * this.#capacity, 2)
        : amount * decay
    this.#previousRatio = ratio
    this.#hits = 0
    this.#reads = 0
    this.#resizeWindow(Math.trunc(amount))
  }

  #resizeWindow(amount: number): void {
    const queues = this.#queues
    const quota =
      amount > 0
        ? Math.min(amount, this.#protectedCapacity)
        : -Math.min(-amount, this.#windowCapacity - 1)
    this.#windowCapacity += quota
    this.#protectedCapacity -= quota
    if (quota > 0) {
      this.#demote()
      for (let moved = 0; moved < quota; moved++) {
        const oldest = queues.tail(probation)
        const id = oldest >= 0 ? oldest : queues.tail(protectedMain)
        if (id < 0) break
        queues.moveToHead(window, id)
      }
    } else {
      while (queues.weight[window]! > this.#windowCapacity) {
        queues.moveToHead(probation, queues.tail(window))
      }
    }
  }
}
