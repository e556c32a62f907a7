import type { LimitPart } from '../limiter/metered-limiter.ts'
import type { Meter } from './meter.ts'

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
