import type { Clock, Timer } from '@millrace/kit'

/** Something that wants to be called at a time. `deadline` and `heapIndex` belong to the heap. */
export interface Timed {
  /** When to call, by the heap's clock. Change it only through {@link DeadlineHeap.schedule}. */
  deadline: number
  /** Position in the heap, -1 while outside. */
  heapIndex: number
  /** Called once, after the entry left the heap, never before its deadline. */
  onDeadline(now: number): void
}

/**
 * All deadlines of a pool behind one timer: a binary heap, O(log n) to add and to take away.
 *
 * The timer is only ever moved forward, and checks again when it fires: a host's timer counts whole
 * milliseconds and may be early by a fraction of one, a deadline here never is.
 */
export class DeadlineHeap {
  readonly #clock: Clock
  readonly #entries: Timed[] = []
  #timer: Timer | undefined
  #timerAt = Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Entries that wait. */
  get size(): number {
    return this.#entries.length
  }

  /** Adds an entry, or moves it if it waits already. */
  schedule(entry: Timed, deadline: number): void {
    const entries = this.#entries
    if (entry.heapIndex === -1) {
      entry.deadline = deadline
      entry.heapIndex = entries.length
      entries.push(entry)
      this.#up(entry.heapIndex)
    } else {
      const earlier = deadline < entry.deadline
      entry.deadline = deadline
      if (earlier) this.#up(entry.heapIndex)
      else this.#down(entry.heapIndex)
    }
    if (deadline < this.#timerAt) this.#arm(deadline)
  }

  /** Takes an entry out; nothing happens if it does not wait. */
  cancel(entry: Timed): void {
    const index = entry.heapIndex
    if (index === -1) return
    const entries = this.#entries
    const last = entries.pop()!
    if (last !== entry) {
      entries[index] = last
      last.heapIndex = index
      this.#up(index)
      this.#down(last.heapIndex)
    }
    entry.heapIndex = -1
    // The timer stays armed: it finds nothing due and re-arms or stops. Cancelling it here would
    // cost two native timer operations per request.
  }

  /** Forgets all entries and stops the timer. */
  clear(): void {
    for (const entry of this.#entries) entry.heapIndex = -1
    this.#entries.length = 0
    this.#disarm()
  }

  #arm(deadline: number): void {
    this.#timer?.cancel()
    this.#timerAt = deadline
    const delay = Math.ceil(deadline - this.#clock.now())
    this.#timer = this.#clock.setTimer(this.#onTimer, Math.max(delay, 1))
  }

  #disarm(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#timerAt = Infinity
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined
    // Entries that are scheduled while others are called must not arm a timer each.
    this.#timerAt = -Infinity
    let now = this.#clock.now()
    const entries = this.#entries
    try {
      for (let head = entries[0]; head !== undefined; head = entries[0]) {
        // What became due while others were called is not left to another turn of the event loop.
        if (head.deadline > now) now = this.#clock.now()
        if (head.deadline > now) break
        this.cancel(head)
        head.onDeadline(now)
      }
    } finally {
      this.#timerAt = Infinity
      const next = entries[0]
      if (next !== undefined) this.#arm(next.deadline)
    }
  }

  #up(start: number): void {
    const entries = this.#entries
    const entry = entries[start]!
    let index = start
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parent = entries[parentIndex]!
      if (parent.deadline <= entry.deadline) break
      entries[index] = parent
      parent.heapIndex = index
      index = parentIndex
    }
    entries[index] = entry
    entry.heapIndex = index
  }

  #down(start: number): void {
    const entries = this.#entries
    const length = entries.length
    const entry = entries[start]!
    let index = start
    for (;;) {
      let childIndex = 2 * index + 1
      if (childIndex >= length) break
      let child = entries[childIndex]!
      if (childIndex + 1 < length && entries[childIndex + 1]!.deadline < child.deadline) {
        childIndex++
        child = entries[childIndex]!
      }
      if (entry.deadline <= child.deadline) break
      entries[index] = child
      child.heapIndex = index
      index = childIndex
    }
    entries[index] = entry
    entry.heapIndex = index
  }
}
