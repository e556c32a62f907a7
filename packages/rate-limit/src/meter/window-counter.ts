import { checkInteger, checkPositive } from '@millrace/kit'
import { SLACK } from '../wait/slack.ts'
import type { Meter } from './meter.ts'

/**
 * Approximate sliding window: the count of the present window and, as far as it overlaps, a share of the one before. Two
 * numbers instead of a log; exact if the previous window's permits were spread evenly, and never more than `limit` in
 * any of the fixed windows.
 */
export class WindowCounter implements Meter {
  readonly maxCost: number
  readonly #window: number
  /** Start of the present window, ms. */
  #start: number
  #previous = 0
  #present = 0

  constructor(limit: number, window: number, now: number) {
    this.maxCost = checkInteger('limit', limit, 1)
    this.#window = checkPositive('window', window)
    this.#start = now
  }

  canTake(cost: number, now: number): boolean {
    this.#roll(now)
    return this.#estimate(now) + cost <= this.maxCost + SLACK
  }

  tryTake(cost: number, now: number): boolean {
    if (!this.canTake(cost, now)) return false
    this.#present += cost
    return true
  }

  /** Exact for the first in line; for those behind it a lower bound, as permits to come will count too. */
  dueAt(cost: number, ahead: number, now: number): number {
    this.#roll(now)
    const laps = Math.floor(ahead / this.maxCost)
    const wanted = cost + (ahead % this.maxCost)
    const room = this.maxCost - this.#present - wanted
    const due =
      room >= 0
        ? this.#start + this.#window * overlapEnd(this.#previous, room)
        : this.#start +
          this.#window * (1 + overlapEnd(this.#present, Math.max(0, this.maxCost - wanted)))
    return laps === 0 ? due : Math.max(due, now) + laps * this.#window
  }

  take(cost: number, now: number): void {
    this.#roll(now)
    this.#present += cost
  }

  refund(cost: number, now: number): void {
    this.#roll(now)
    const fromPresent = Math.min(cost, this.#present)
    this.#present -= fromPresent
    this.#previous = Math.max(0, this.#previous - (cost - fromPresent))
  }

  available(now: number): number {
    this.#roll(now)
    return this.maxCost - this.#estimate(now)
  }

  pace(): number {
    return 2 * this.#window
  }

  resetAfter(now: number): number {
    this.#roll(now)
    if (this.#present > 0) return this.#start + 2 * this.#window - now
    return this.#previous > 0 ? this.#start + this.#window - now : 0
  }

  #estimate(now: number): number {
    return this.#previous * (1 - (now - this.#start) / this.#window) + this.#present
  }

  #roll(now: number): void {
    const passed = Math.floor((now - this.#start) / this.#window)
    if (passed < 1) return
    this.#previous = passed === 1 ? this.#present : 0
    this.#present = 0
    this.#start += passed * this.#window
  }
}

/** The share of a window after which no more than `room` of the `count` before it still counts. */
function overlapEnd(count: number, room: number): number {
  return count <= room ? 0 : 1 - room / count
}
