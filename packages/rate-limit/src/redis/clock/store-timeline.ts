import type { Clock } from '@millrace/kit'

/** A clock that differs by less, in us, is taken to keep step: calls take their time. As in the scripts. */
const TOLERANCE = 1e6

/** So many steps are remembered, the latest: what was written before an older one is taken for later than it is at most once. */
const MOST_STEPS = 4

/** A step of the store's clock, in us of that clock. */
export interface ClockStep {
  /** What was written until then was written before the step, if it is one forward… */
  readonly until: number
  /** …and is to be moved by so much. */
  readonly by: number
  /** When it was noticed. */
  readonly at: number
  /** When the process that noticed it had been answered last. */
  readonly answered: number
}

/** The first arguments of every script: see `timeline` of the scripts. */
export type TimelineArgs = readonly [since: number, earliest: number, latest: number, steps: string]

/**
 * What a process knows of the store's clock, in us, from the answers that it had: it tells scripts what time it should be there, and by
 * how much the clock has been moved. An answer bounds how far the store's clock is ahead of the local one, by when the call was made and
 * when it was answered; a clock that left these bounds was moved.
 */
export class StoreTimeline {
  readonly #clock: Clock
  /** For how long a state may be missing because of a step, us. */
  readonly #period: number
  /** Since when the store knows of this limiter, as its clock was at first; 0 while it does not. */
  #since = 0
  /** When it was answered last, by the store's clock; 0 while it has not been. */
  answered = 0
  /** How far the store's clock is ahead of the local one: between these. */
  #least = 0
  #most = 0
  /** By how much the store's clock has been moved in all: what is remembered of it is kept as it was at first. */
  shift = 0
  /** Those forward. */
  readonly #steps: { until: number; readonly by: number }[] = []
  /** What a state that is missing may lack, when the last step forward was noticed, and when that was. */
  #lack = 0
  #lackAt = 0
  #text = ''

  /** @param period for how long a state lives that nothing is done to, us: what a step forward may have cost at most */
  constructor(clock: Clock, period: number) {
    this.#clock = clock
    this.#period = period
  }

  /** @param now when it is sent, ms on the local clock */
  args(now: number): TimelineArgs {
    if (this.answered === 0) return [0, 0, 0, this.#text]
    const local = now * 1_000
    const since = this.#since + this.shift
    return [since, local + this.#least, local + this.#most, this.#text]
  }

  /** Learns of a step that another process has noticed before this one was answered first. */
  learn(step: ClockStep): void {
    if (this.answered === 0) this.#remember(step)
  }

  /**
   * Notes what an answer says.
   *
   * @param sent when the call was made, ms on the local clock
   * @returns the step that it tells of, if there is one
   */
  note(now: number, since: number, sent: number): ClockStep | undefined {
    const least = now - this.#clock.now() * 1_000
    const most = now - sent * 1_000
    let step: ClockStep | undefined
    if (this.answered === 0) {
      this.#since = since
      // A step that was noticed in the future: the clock was set back since.
      if (this.#lackAt > now) this.#setBack(now, now - this.#lackAt)
    } else if (least > this.#most + TOLERANCE || most < this.#least - TOLERANCE) {
      // Moved by too much nothing passes that should not.
      const by = most - this.#least
      step = { until: now - (least - this.#most), by, at: now, answered: this.answered }
      this.shift += by
      if (by > 0) this.#remember(step)
      else this.#setBack(this.answered + (least - this.#most), by)
    } else if (least <= this.#least && most >= this.#most) {
      // One that was long under way says nothing new.
      this.answered = Math.max(this.answered, now)
      return undefined
    }
    this.answered = now
    this.#least = least
    this.#most = most
    return step
  }

  #remember({ until, by, at }: ClockStep): void {
    this.#steps.push({ until, by })
    if (this.#steps.length > MOST_STEPS) this.#steps.shift()
    // What is missing may have been touched before an earlier step last.
    const before = at - by - this.#lackAt < this.#period ? this.#lack : 0
    this.#lack = Math.min(this.#period, before + by)
    this.#lackAt = at
    this.#write()
  }

  /** Times that come again are no longer those before a step. */
  #setBack(now: number, by: number): void {
    for (const step of this.#steps) step.until = Math.min(step.until, now)
    this.#lackAt += by
    this.#write()
  }

  #write(): void {
    if (this.#steps.length === 0) return
    const numbers = this.#steps.flatMap(({ until, by }) => [until, by])
    this.#text = [this.#lack, this.#lackAt, ...numbers].map(Math.round).join(' ')
  }
}
