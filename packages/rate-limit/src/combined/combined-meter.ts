import { InvalidOptionError } from '@millrace/kit'
import type { LimitPart } from '../limiter/limit-part.ts'
import type { Meter } from '../meter/meter.ts'
import { LinePlace } from '../wait/line/line-place.ts'
import { SLACK } from '../wait/slack.ts'
import type { Waiter } from '../wait/waiter.ts'

/** Several limits as one: a cost is taken from all of them or from none. O(limits). */
export class CombinedMeter implements Meter {
  readonly #parts: readonly LimitPart[]
  /** Those that contain no others, at whatever depth. */
  readonly #leaves: readonly Meter[]
  #serve: () => void = () => {}
  readonly #place = new LinePlace<LimitPart>(() => this.#serve())

  constructor(parts: readonly LimitPart[]) {
    this.#parts = parts
    this.#leaves = parts.flatMap(({ meter }) =>
      meter instanceof CombinedMeter ? meter.#leaves : [meter],
    )
    if (new Set(this.#leaves).size !== this.#leaves.length) {
      throw new InvalidOptionError('limits', 'limiters that are each contained once', parts)
    }
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

  pace(cost: number): number {
    return Math.max(...this.#parts.map(({ meter }) => meter.pace(cost)))
  }

  attach(serve: () => void): void {
    this.#serve = serve
  }

  /**
   * Stands in the line of the limit that is due last, and, each time its turn comes while others are not ready, of the one
   * of those that is due last. Where it has had a turn it is served before those that have not.
   *
   * That alone could go on without end among limits that are never idle. So the line in which its turn has come waits with
   * it, once it has had a turn in all lines it still lacks, and if that takes no longer than this limit's own pace: the
   * slowest limit is held for the next slot of a faster one, never the other way round. Two that hold what the other
   * lacks do not block each other, as what is held is ready: the first to look takes it.
   */
  lineUp(head: Waiter, now: number): number {
    const { cost, key } = head
    const place = this.#place
    place.serves(cost)
    const turn = place.takeTurn()
    if (turn === undefined && place.standing) return Infinity
    let last: LimitPart | undefined
    let latest = -Infinity
    let wait = 0
    for (const part of this.#parts) {
      const visited = place.visited(part)
      const free = part.meter.dueAt(cost, 0, now)
      if (visited ? free <= now + SLACK : !part.waiting && part.meter.canTake(cost, now)) continue
      wait = Math.max(wait, visited ? free - now : Infinity)
      const ahead = visited ? 0 : part.costAhead(head.priority, key)
      const due = ahead === 0 ? free : part.meter.dueAt(cost, ahead, now)
      if (due <= latest) continue
      latest = due
      last = part
    }
    if (last === undefined) return now
    if (turn !== undefined && wait <= turn.meter.pace(cost) + SLACK) place.hold(head, turn)
    place.stand(head, key, last)
    return Infinity
  }

  leave(): void {
    this.#place.leave()
  }

  hold(head: Waiter): void {
    for (const part of this.#parts) this.#place.hold(head, part)
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
