import type { Timer } from '@millrace/kit'
import type { HeadSampling } from '../sampling/head-sampling.ts'
import type { EpochClock } from '../time/clock.ts'
import type { SpanDrain } from './span-drain.ts'

/** Time between two measurements, in milliseconds. */
const PERIOD = 1_000
/** Below this part of the budget, more traces are allowed again. */
const SLACK = 0.8
/** How much more, from one second to the next. */
const GROWTH = 1.25
/** The least share of traces: something must remain to measure by. */
const FLOOR = 0.001

/** What the governor watches and steers. */
interface Governed {
  readonly started: number
  readonly drain: SpanDrain
  readonly head: HeadSampling
  readonly costPerSpan: number
}

/**
 * Holds the tracer to a budget of CPU time. Overhead is what encoding took, which is measured, plus the spans started times
 * the cost of one, which is calibrated once. What is spent on sockets and on collecting garbage is not in it.
 *
 * Only the beginning of traces is steered: traces that other processes began are recorded as they ask. Its timer does not keep it, or
 * what it watches, in memory.
 */
export class OverheadGovernor {
  readonly #budget: number
  readonly #governed: Governed
  readonly #clock: EpochClock
  readonly #self: WeakRef<OverheadGovernor> = new WeakRef(this)
  #timer: Timer
  #since: number
  #started: number
  #busy: number
  /** Share of one core used in the last period. */
  overhead = 0
  /** Share of new traces allowed. */
  allowed = 1

  constructor(budget: number, governed: Governed, clock: EpochClock) {
    this.#budget = budget
    this.#governed = governed
    this.#clock = clock
    this.#since = clock.now()
    this.#started = governed.started
    this.#busy = governed.drain.busy
    this.#timer = measureLater(clock, this.#self)
  }

  close(): void {
    this.#timer.cancel()
  }

  /** Looks at what the last period cost. */
  measure(): void {
    const { started, drain, head, costPerSpan } = this.#governed
    const now = this.#clock.now()
    const spent = (started - this.#started) * costPerSpan + (drain.busy - this.#busy)
    const elapsed = now - this.#since
    this.#since = now
    this.#started = started
    this.#busy = drain.busy
    // A clock that was set back, or stands still, measures nothing, and what was measured before is no reason to steer again.
    if (elapsed > 0) this.#steer(spent / elapsed, head)
    this.#timer = measureLater(this.#clock, this.#self)
  }

  #steer(overhead: number, head: HeadSampling): void {
    const { allowed } = this
    this.overhead = overhead
    if (overhead > this.#budget) {
      this.allowed = Math.max(FLOOR, allowed * (this.#budget / overhead))
    } else if (overhead < this.#budget * SLACK) {
      this.allowed = Math.min(1, allowed * GROWTH)
    }
    if (this.allowed !== allowed) head.limit(this.allowed)
  }
}

/** Apart from the class, as a function made in one of its methods may keep the object by its scope. */
function measureLater(clock: EpochClock, governor: WeakRef<OverheadGovernor>): Timer {
  return clock.setTimer(() => governor.deref()?.measure(), PERIOD)
}
