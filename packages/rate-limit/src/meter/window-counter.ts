import { checkInteger } from '@millrace/kit'
import { SLACK } from '../wait/slack.ts'
import { checkWindow, type WindowMeter } from './window-meter.ts'

/**
 * Approximate sliding window: the count of the present window and, as far as it overlaps, a share of the one before. Two
 * numbers instead of a log; exact if the previous window's permits were spread evenly, and never more than `limit` in
 * any of the fixed windows.
 */
export class WindowCounter implements WindowMeter {
  readonly maxCost: number
  readonly #window: number
  /** Start of the present window, ms. */
  #start: number
  #previous = 0
  #present = 0
  #pausedUntil = -Infinity

  constructor(limit: number, window: number, now: number) {
    this.maxCost = checkInteger('limit', limit, 1)
    this.#window = checkWindow(window)
    this.#start = now
  }

  canTake(cost: number, now: number): boolean {
    this.#roll(now)
    if (cost === 0) return true
    return now >= this.#pausedUntil && this.#estimate(now) + cost <= this.maxCost + SLACK
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
    const first = Math.max(due, this.#pausedUntil)
    return laps === 0 ? first : Math.max(first, now) + laps * this.#window
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
    return now < this.#pausedUntil ? 0 : this.maxCost - this.#estimate(now)
  }

  pace(): number {
    return 2 * this.#window
  }

  resetAfter(now: number): number {
    this.#roll(now)
    const used = this.#present > 0 ? 2 : this.#previous > 0 ? 1 : 0
    const empty = used === 0 ? now : this.#start + used * this.#window
    return Math.max(empty, this.#pausedUntil) - now
  }

  pause(ms: number, now: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, now + ms)
  }

  clear(): void {
    this.#previous = 0
    this.#present = 0
    this.#pausedUntil = -Infinity
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
