import { type Clock, stopwatch, systemClock, type Timer } from '../clock.ts'
import { InvalidOptionError } from '../errors.ts'
import type { Registry } from '../registry/registry.ts'
import { type SlicedWork, startSlices } from '../slices.ts'
import { type Evaluator, evaluatorOf, type Finding } from './evaluation.ts'
import { type Rule, validateRules } from './rules.ts'

/**
 * Where a rule is.
 * - `ok`: the condition does not hold
 * - `pending`: it holds, but not for long enough
 * - `tripped`: it held for long enough, and has not been absent for long enough since
 */
export type RuleState = 'ok' | 'pending' | 'tripped'

/** One rule and what it last found. */
export interface RuleStatus {
  readonly rule: Rule
  readonly state: RuleState
  /** Since when it is in this state, in milliseconds since the epoch. */
  readonly since: number
  /** The value judged last and its limit; `NaN` while there is too little to judge by. */
  readonly value: number
  readonly limit: number
}

export interface GuardOptions {
  rules: readonly Rule[]
  /** Called when a rule trips: flip the flag, take the old path. */
  onTrip?: (status: RuleStatus) => void | Promise<void>
  /** Called when a tripped rule has recovered. */
  onRecover?: (status: RuleStatus) => void | Promise<void>
  /** Told what `onTrip` or `onRecover` threw. Default: a process warning. */
  onError?: (error: unknown, status: RuleStatus) => void
  /** Milliseconds between two evaluations, 100 to 60,000. Default 10,000. */
  interval?: number
  /** Source of time; give the registry the same one. Default: the system's. */
  clock?: Clock
}

interface Watched {
  readonly rule: Rule
  readonly evaluator: Evaluator
  state: RuleState
  since: number
  /** When the condition last changed between holding and not. */
  changed: number
  held: boolean
  finding: Finding
}

const LEAST_RECOVERY = 60_000

/**
 * Watches rules over a registry and calls back when one trips and when it has recovered. Hysteresis on both sides: a
 * condition must hold for `for`, and be absent for `recoverAfter`.
 */
export class Guard {
  readonly #registry: Registry
  readonly #options: Required<Pick<GuardOptions, 'interval' | 'clock' | 'onError'>> & GuardOptions
  readonly #watched: readonly Watched[]
  readonly #stopwatch: () => number
  #timer: Timer | undefined
  /** The evaluation that the interval began. */
  #underWay: SlicedWork | undefined
  #trips = 0
  #recoveries = 0

  constructor(registry: Registry, options: GuardOptions) {
    const { rules, interval = 10_000, clock = systemClock, onError = warn } = options
    validateRules(rules)
    if (!(interval >= 100 && interval <= 60_000)) {
      throw new InvalidOptionError('interval', 'from 100 to 60000 milliseconds', interval)
    }
    this.#registry = registry
    this.#options = { ...options, interval, clock, onError }
    this.#stopwatch = stopwatch(clock)
    const now = clock.now()
    this.#watched = rules.map(rule => ({
      rule,
      evaluator: evaluatorOf(rule),
      state: 'ok',
      since: now,
      changed: now,
      held: false,
      finding: { holds: undefined, value: NaN, limit: NaN },
    }))
    this.evaluate()
    this.#schedule()
  }

  #schedule(): void {
    const { clock, interval } = this.#options
    this.#timer = clock.setTimer(() => {
      // An evaluation that takes longer than the interval goes on, and the next waits its turn.
      if (this.#underWay === undefined) this.#evaluateInSlices()
      this.#schedule()
    }, interval)
  }

  #evaluateInSlices(): void {
    let finished = false
    const work = startSlices(this.#steps(), this.#options.clock, this.#stopwatch, () => {
      finished = true
      this.#underWay = undefined
    })
    if (!finished) this.#underWay = work
  }

  /**
   * Evaluates all rules now. Happens by itself on the interval, and then in slices of half a millisecond; called like
   * this it is done when it returns: 0.1 ms per 1,000 series that a rule counts, some 10 ms per 1,000
   * histograms of which it reads a quantile.
   */
  evaluate(): void {
    this.#underWay?.cancel()
    this.#underWay = undefined
    for (const _ of this.#steps());
  }

  *#steps(): Generator<void, void> {
    const now = this.#options.clock.now()
    const families = new Map(
      this.#registry.collect().map(family => [family.description.name, family]),
    )
    yield
    for (const watched of this.#watched) {
      const found = watched.evaluator.evaluate(families, now)
      watched.finding = 'next' in found ? yield* found : found
      const { holds } = watched.finding
      if (holds !== undefined) this.#step(watched, holds, now)
      yield
    }
  }

  #step(watched: Watched, holds: boolean, now: number): void {
    const { rule } = watched
    if (holds !== watched.held) {
      watched.held = holds
      watched.changed = now
    }
    const lasted = now - watched.changed
    const hold = rule.for ?? 0
    if (watched.state === 'tripped') {
      if (!holds && lasted >= (rule.recoverAfter ?? Math.max(hold, LEAST_RECOVERY))) {
        this.#enter(watched, 'ok', now)
        this.#recoveries++
        this.#notify(this.#options.onRecover, watched)
      }
    } else if (!holds) this.#enter(watched, 'ok', now)
    else if (lasted < hold) this.#enter(watched, 'pending', now)
    else {
      this.#enter(watched, 'tripped', now)
      this.#trips++
      this.#notify(this.#options.onTrip, watched)
    }
  }

  #enter(watched: Watched, state: RuleState, now: number): void {
    if (watched.state === state) return
    watched.state = state
    watched.since = now
  }

  #notify(callback: GuardOptions['onTrip'], watched: Watched): void {
    if (callback === undefined) return
    const status = statusOf(watched)
    const fail = (error: unknown): void => this.#options.onError(error, status)
    try {
      Promise.resolve(callback(status)).catch(fail)
    } catch (error) {
      fail(error)
    }
  }

  /** All rules as of the last evaluation. */
  status(): RuleStatus[] {
    return this.#watched.map(statusOf)
  }

  stats(): { rules: number; pending: number; tripped: number; trips: number; recoveries: number } {
    const count = (state: RuleState): number =>
      this.#watched.filter(watched => watched.state === state).length
    return {
      rules: this.#watched.length,
      pending: count('pending'),
      tripped: count('tripped'),
      trips: this.#trips,
      recoveries: this.#recoveries,
    }
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel()
    this.#underWay?.cancel()
  }
}

function statusOf({ rule, state, since, finding }: Watched): RuleStatus {
  return { rule, state, since, value: finding.value, limit: finding.limit }
}

function warn(error: unknown, { rule }: RuleStatus): void {
  process.emitWarning(`A callback of the rule ${rule.name} failed: ${String(error)}`, {
    code: 'MILLRACE_GUARD_CALLBACK',
  })
}
