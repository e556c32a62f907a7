/**
 * Belady's optimum: keeps what is read again soonest. It knows the future, so no policy can do better; it may also decline
 * to store. O(n log C) for n reads.
 *
 * @returns hits
 */
export function beladyHits(ids: Int32Array, distinct: number, capacity: number): number {
  const nextRead = nextReads(ids, distinct)
  const held = new Uint8Array(distinct)
  const heap = new TimeHeap(2 * capacity + 4096)
  let count = 0
  let hits = 0
  for (let now = 0; now < ids.length; now++) {
    const id = ids[now]!
    const next = nextRead[now]!
    if (held[id] === 1) {
      hits++
      if (next === never) {
        held[id] = 0
        count--
      } else heap.push(next, now)
      continue
    }
    if (next === never) continue
    if (count < capacity) count++
    else {
      if (heap.latest() < next) continue
      held[ids[heap.popLatest()]!] = 0
    }
    held[id] = 1
    heap.push(next, now)
  }
  return hits
}

const never = 0x7fffffff

/** For each read the time of the next read of the same id, or `never`. */
function nextReads(ids: Int32Array, distinct: number): Int32Array {
  const seen = new Int32Array(distinct).fill(never)
  const next = new Int32Array(ids.length)
  for (let now = ids.length - 1; now >= 0; now--) {
    next[now] = seen[ids[now]!]!
    seen[ids[now]!] = now
  }
  return next
}

/**
 * A max-heap of times. A time identifies the id read then; times that have passed belong to ids that were pushed again since, sink
 * below all valid ones, and are dropped when the heap is full.
 */
class TimeHeap {
  #times: Int32Array
  #length = 0

  constructor(size: number) {
    this.#times = new Int32Array(size)
  }

  latest(): number {
    return this.#times[0]!
  }

  push(time: number, now: number): void {
    if (this.#length === this.#times.length) this.#dropPassed(now)
    this.#times[this.#length] = time
    this.#up(this.#length++)
  }

  popLatest(): number {
    const latest = this.#times[0]!
    this.#times[0] = this.#times[--this.#length]!
    this.#down(0)
    return latest
  }

  #dropPassed(now: number): void {
    let kept = 0
    for (let at = 0; at < this.#length; at++) {
      if (this.#times[at]! > now) this.#times[kept++] = this.#times[at]!
    }
    this.#length = kept
    for (let at = (kept >> 1) - 1; at >= 0; at--) this.#down(at)
  }

  #up(start: number): void {
    const times = this.#times
    const time = times[start]!
    let at = start
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (times[parent]! >= time) break
      times[at] = times[parent]!
      at = parent
    }
    times[at] = time
  }

  #down(start: number): void {
    const times = this.#times
    const time = times[start]!
    let at = start
    for (let child = 2 * at + 1; child < this.#length; child = 2 * at + 1) {
      if (child + 1 < this.#length && times[child + 1]! > times[child]!) child++
      if (times[child]! <= time) break
      times[at] = times[child]!
      at = child
    }
    times[at] = time
  }
}
