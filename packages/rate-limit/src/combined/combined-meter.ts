import type { LimitPart } from '../limiter/metered-limiter.ts'
import type { LinePlace } from '../wait/line-place.ts'
import type { Waiter } from '../wait/waiter.ts'
import { type Meter, SLACK } from '../meter/meter.ts'

/** Several limits as one: a cost is taken from all of them or from none. O(limits). */
export class CombinedMeter implements Meter {
  readonly #parts: readonly LimitPart[]

  constructor(parts: readonly LimitPart[]) {
    this.#parts = parts
  }

  get maxCost(): number {
    return Math.min(...this.#parts.map(({ meter }) => meter.maxCost))
  }

  canTake(cost: number, now: number): boolean {
    return this.#parts.every(part => !part.waiting && part.meter.canTake(cost, now))
  }

  tryTake(cost: number, now: number): boolean {
    if (!this.canTake(cost, now)) return false
    this.take(cost, now)
    return true
  }

  dueAt(cost: number, ahead: number, now: number): number {
    let due = -Infinity
    for (const { meter } of this.#parts) due = Math.max(due, meter.dueAt(cost, ahead, now))
    return due
  }

  /**
   * Stands in the line of the limit that is due last, so that all who share it are served as they came. If another one has
   * fallen behind when its turn comes, it goes on to that one's line.
   */
  lineUp(head: Waiter, now: number, place: LinePlace): number {
    const { cost, priority, key } = head
    if (place.takeTurn() ? this.dueAt(cost, 0, now) <= now + SLACK : this.canTake(cost, now)) {
      return now
    }
    let last = this.#parts[0]!
    let latest = -Infinity
    for (const part of this.#parts) {
      const due = part.meter.dueAt(cost, part.costAhead(priority, key), now)
      if (due <= latest) continue
      latest = due
      last = part
    }
    place.stand(head, key, last)
    return Infinity
  }

  take(cost: number, now: number): void {
    for (const part of this.#parts) {
      // While one limit is waited for, the others are idle: only what is due late is taken as from a backlog.
      if (!part.meter.tryTake(cost, now)) part.meter.take(cost, now)
      part.count(cost)
    }
  }

  refund(cost: number): void {
    for (const part of this.#parts) part.refund(cost)
  }

  available(now: number): number {
    return Math.min(...this.#parts.map(({ meter }) => meter.available(now)))
  }

  resetAfter(now: number): number {
    return Math.max(...this.#parts.map(({ meter }) => meter.resetAfter(now)))
  }

  watch(listener: () => void): void {
    for (const part of this.#parts) part.watch(listener)
  }

  unwatch(listener: () => void): void {
    for (const part of this.#parts) part.unwatch(listener)
  }
}
