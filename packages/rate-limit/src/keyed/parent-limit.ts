import { type Clock, InvalidOptionError } from '@millrace/kit'
import type { LimitPart } from '../limiter/limit-part.ts'
import { MeteredLimiter, partOf } from '../limiter/metered-limiter.ts'
import type { LinePlace } from '../wait/line/line-place.ts'
import { SLACK } from '../wait/slack.ts'
import type { Waiter } from '../wait/waiter.ts'

/** The limit over all keys together: what a key lets through must pass it too, in its line and by its order. */
export class ParentLimit {
  readonly #part: LimitPart

  /** @throws {InvalidOptionError} for another thing */
  constructor(limiter: MeteredLimiter) {
    if (!(limiter instanceof MeteredLimiter)) {
      throw new InvalidOptionError('parent', 'a limiter of this package', limiter)
    }
    this.#part = partOf(limiter)
  }

  /** The clock of its times, which is its keys', too. */
  get clock(): Clock {
    return this.#part.clock
  }

  /** The largest cost that can ever pass. */
  get maxCost(): number {
    return this.#part.meter.maxCost
  }

  /** What it leaves to calls that do not wait. */
  left(now: number): number {
    return this.#part.waiting ? 0 : this.#part.meter.available(now)
  }

  dueAt(cost: number, ahead: number, now: number): number {
    return this.#part.meter.dueAt(cost, ahead, now)
  }

  /** Takes the cost if no call waits for it. */
  tryTake(cost: number, now: number): boolean {
    if (this.#part.waiting || !this.#part.meter.tryTake(cost, now)) return false
    this.#part.count(cost)
    return true
  }

  /** Takes the cost for a caller that {@link lineUp} has let through. */
  take(cost: number, now: number): void {
    if (!this.#part.meter.tryTake(cost, now)) this.#part.meter.take(cost, now)
    this.#part.count(cost)
  }

  /**
   * Has the first caller of a key stand in the line, unless it can pass.
   *
   * @returns `now` if it can, Infinity if it is called when its turn comes
   */
  lineUp(head: Waiter, key: string, now: number, place: LinePlace<LimitPart>): number {
    const part = this.#part
    const { cost } = head
    place.serves(cost)
    const passes = place.takeTurn()
      ? part.meter.dueAt(cost, 0, now) <= now + SLACK
      : !part.waiting && part.meter.canTake(cost, now)
    if (passes) return now
    place.stand(head, key, part)
    return Infinity
  }

  refund(cost: number): void {
    this.#part.refund(cost)
  }

  watch(listener: () => void): void {
    this.#part.watch(listener)
  }

  unwatch(listener: () => void): void {
    this.#part.unwatch(listener)
  }
}
