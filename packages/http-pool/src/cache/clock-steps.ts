import { monotonicClock } from '@millrace/kit'

/** A step that is smaller, in ms, is taken for the drift of two clocks, until there are as many that it is not. */
const LEAST_STEP = 1_000

/**
 * How far the wall clock has been set back since the process began, in all: what was noted before is older by that than the clock
 * says. A step forward is time that has passed, as it is for a machine that wakes up.
 */
class ClockSteps {
  /** Tells notes of this process from those of others, whose clocks may be others. */
  readonly id: string = crypto.randomUUID()
  /** The most by which the wall clock was ahead of the monotonic one. */
  #ahead = -Infinity
  #setBack = 0
  readonly #marks = new WeakMap<object, number>()

  /** In ms. A step is noticed when this is asked for: once before it and once after. */
  get setBack(): number {
    const ahead = Date.now() - monotonicClock.now()
    const step = this.#ahead - ahead
    if (step > LEAST_STEP) this.#setBack += step
    if (step > LEAST_STEP || step < 0) this.#ahead = ahead
    return this.#setBack
  }

  /** Notes that something is of a time in which the clock had been set back so far. */
  mark(noted: object, setBack: number): void {
    this.#marks.set(noted, setBack)
  }

  /** How far it has been set back since, in ms; 0 for what is not marked. */
  since(noted: object): number {
    const { setBack } = this
    return setBack - (this.#marks.get(noted) ?? setBack)
  }
}

export const clockSteps: ClockSteps = new ClockSteps()

/** When a response came, when it is stale, and when it is not kept any longer, by the wall clock. */
interface Times {
  readonly cachedAt: number
  readonly staleAt: number
  readonly deleteAt: number
}

/** With all its times so many ms later. */
export function shifted<T extends Times>(value: T, by: number): T {
  if (by === 0) return value
  const { cachedAt, staleAt, deleteAt } = value
  return { ...value, cachedAt: cachedAt + by, staleAt: staleAt + by, deleteAt: deleteAt + by }
}
