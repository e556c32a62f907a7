import {
  type Clock,
  checkClock,
  checkFunction,
  checkMethods,
  checkRange,
  counters,
  describeStats,
  gauges,
  type OptionRules,
  optional,
  type Resolved,
  required,
  resolveOptions,
  type Timer,
  tell,
  textOf,
  withDefault,
} from '@millrace/kit'
import type { Registry } from '../registry/registry.ts'
import { type SlicedWork, startSlices } from '../time/slices.ts'
import { evaluatorOf } from './evaluation.ts'
import { type Evaluator, type Finding, UNKNOWN } from './finding.ts'
import { checkRules, holdOf, type Reading, type Rule, readingsOf } from './rules.ts'
import type { Families } from './select.ts'

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
  /** Since when it is in this state, in ms since 1970. */
  readonly since: number
  /** ms for which the condition has held, or has not, as of the last evaluation. */
  readonly lasted: number
  /** The value judged last and its limit; `NaN` while there is too little to judge by. */
  readonly value: number
  readonly limit: number
}

export interface GuardOptions {
  readonly rules: readonly Rule[]
  /** Called when a rule trips: flip the flag, take the old path. Default: none */
  readonly onTrip?: ((status: RuleStatus) => void | Promise<void>) | undefined
  /** Called when a tripped rule has recovered. Default: none */
  readonly onRecover?: ((status: RuleStatus) => void | Promise<void>) | undefined
  /** Told what `onTrip` or `onRecover` threw. Default: a process warning */
  readonly onError?: ((error: unknown, status: RuleStatus) => void) | undefined
  /** ms between two evaluations, 100 to 60,000. Default: 10,000 */
  readonly interval?: number | undefined
  /** Source of the timer between them. Default: the registry's */
  readonly clock?: Clock | undefined
}

export interface GuardStats {
  readonly rules: number
  /** Rules whose condition holds, not yet for long enough. */
  readonly pending: number
  readonly tripped: number
  /** Trips and recoveries since the start. */
  readonly trips: number
  readonly recoveries: number
}

type Settings = Resolved<GuardOptions, 'onTrip' | 'onRecover'>
type Callback = NonNullable<GuardOptions['onTrip']>

const rulesOf = (registry: Registry): OptionRules<GuardOptions, Settings> => ({
  rules: required(checkRules),
  onTrip: optional(checkFunction<Callback>),
  onRecover: optional(checkFunction<Callback>),
  onError: withDefault(warn, checkFunction<Settings['onError']>),
  interval: withDefault(10_000, checkRange, 100, 60_000),
  clock: withDefault(registry.timeline, checkClock<Clock>),
})

interface Watched {
  readonly rule: Rule
  readonly readings: readonly Reading[]
  readonly evaluator: Evaluator
  state: RuleState
  since: number
  /** When the condition last changed between holding and not, on the registry's timeline. */
  changed: number
  held: boolean
  /** ms since then, as of the last evaluation. */
  lasted: number
  finding: Finding
}

const LEAST_RECOVERY = 60_000

/**
 * Watches rules over a registry and calls back when one trips and when it has recovered. Hysteresis on both sides: a
 * condition must hold for `for`, and be absent for `recoverAfter`.
 */
export class Guard {
  readonly #registry: Registry
  readonly #settings: Settings
  readonly #watched: readonly Watched[]
  /** The metrics that the rules read: nothing else is brought up to date for them. */
  readonly #names: readonly string[]
  #timer: Timer | undefined
  /** The evaluation that the interval began. */
  #underWay: SlicedWork | undefined
  #closed = false
  /** Whether the evaluation of the constructor is over, before which no metric need exist. */
  #started = false
  /** What rules have been warned of: once for each. */
  readonly #warned = new Set<string>()
  #trips = 0
  #recoveries = 0

  constructor(registry: Registry, options: GuardOptions) {
    checkMethods('registry', registry, 'a Registry', ['collect'])
    this.#registry = registry
    this.#settings = resolveOptions('', options, rulesOf(registry))
    const now = registry.timeline.now()
    const since = registry.timeline.date()
    // Copies, as what was validated must not change.
    this.#watched = copyOf(this.#settings.rules).map(rule => ({
      rule,
      readings: readingsOf(rule),
      evaluator: evaluatorOf(rule),
      state: 'ok',
      since,
      changed: now,
      held: false,
      lasted: 0,
      finding: UNKNOWN,
    }))
    const read = this.#watched.flatMap(({ readings }) => readings)
    this.#names = [...new Set(read.map(({ selector }) => selector.metric))]
    this.evaluate()
    this.#schedule()
  }

  #schedule(): void {
    const { clock, interval } = this.#settings
    this.#timer = clock.setTimer(() => {
      // An evaluation that takes longer than the interval goes on, and the next waits its turn.
      if (this.#underWay === undefined) this.#evaluateInSlices()
      if (!this.#closed) this.#schedule()
    }, interval)
  }

  #evaluateInSlices(): void {
    this.#underWay = startSlices(this.#steps(), this.#settings.clock, () => {
      this.#underWay = undefined
    })
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
    const now = this.#registry.timeline.now()
    const collected = this.#registry.collect(this.#names)
    const families = new Map(collected.map(family => [family.description.name, family]))
    yield
    for (const watched of this.#watched) {
      // A callback may have closed the guard.
      if (this.#closed) return
      if (!this.#fits(watched, families)) {
        watched.finding = UNKNOWN
        continue
      }
      const found = watched.evaluator.evaluate(families, now)
      watched.finding = 'next' in found ? yield* found : found
      const { holds } = watched.finding
      if (holds !== undefined) this.#step(watched, holds, now)
      yield
    }
    this.#started = true
  }

  /**
   * Whether the metrics of a rule are of types that it can judge. Says once what they are not, which metrics do not exist and which labels
   * they do not have: a misspelt one would never trip.
   */
  #fits({ rule, readings }: Watched, families: Families): boolean {
    let fits = true
    for (const { selector, types } of readings) {
      const named = JSON.stringify(selector.metric)
      const description = families.get(selector.metric)?.description
      if (description === undefined) {
        if (this.#started) this.#warn(rule, `there is no metric ${named} yet`)
        continue
      }
      if (!types.includes(description.type)) {
        fits = false
        const wanted = types.join(' or ')
        this.#warn(rule, `the metric ${named} is a ${description.type}, and it wants a ${wanted}`)
      }
      for (const label of Object.keys(selector.labels ?? {})) {
        if (description.labelNames.includes(label)) continue
        this.#warn(rule, `the metric ${named} has no label ${JSON.stringify(label)}`)
      }
    }
    return fits
  }

  #warn({ name }: Rule, message: string): void {
    const key = `${name} ${message}`
    if (this.#warned.has(key)) return
    this.#warned.add(key)
    process.emitWarning(`Rule ${name}: ${message}`, { code: 'MILLRACE_GUARD_UNKNOWN_METRIC' })
  }

  #step(watched: Watched, holds: boolean, now: number): void {
    const { rule } = watched
    if (holds !== watched.held) {
      watched.held = holds
      watched.changed = now
    }
    const lasted = now - watched.changed
    watched.lasted = lasted
    const hold = holdOf(rule)
    if (watched.state === 'tripped') {
      if (!holds && lasted >= (rule.recoverAfter ?? Math.max(hold, LEAST_RECOVERY))) {
        this.#enter(watched, 'ok')
        this.#recoveries++
        this.#notify(this.#settings.onRecover, watched)
      }
    } else if (!holds) this.#enter(watched, 'ok')
    else if (lasted < hold) this.#enter(watched, 'pending')
    else {
      this.#enter(watched, 'tripped')
      this.#trips++
      this.#notify(this.#settings.onTrip, watched)
    }
  }

  #enter(watched: Watched, state: RuleState): void {
    if (watched.state === state) return
    watched.state = state
    watched.since = this.#registry.timeline.date()
  }

  #notify(callback: GuardOptions['onTrip'], watched: Watched): void {
    if (callback === undefined) return
    const status = statusOf(watched)
    const fail = (error: unknown): void => {
      const onError = (): void => this.#settings.onError(error, status)
      tell(onError, undefined, listenersError => warn(listenersError, status))
    }
    // The program has no guard to close before the constructor has returned it.
    if (this.#started) tell(callback, status, fail)
    else queueMicrotask(() => tell(callback, status, fail))
  }

  /** All rules as of the last evaluation. */
  status(): RuleStatus[] {
    return this.#watched.map(statusOf)
  }

  stats(): GuardStats {
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

  /** Evaluates no more. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#underWay?.cancel()
  }

  /** As {@link close}. */
  [Symbol.dispose](): void {
    this.close()
  }
}

function statusOf({ rule, state, since, lasted, finding }: Watched): RuleStatus {
  return { rule, state, since, lasted, value: finding.value, limit: finding.limit }
}

function warn(error: unknown, { rule }: RuleStatus): void {
  process.emitWarning(`A callback of the rule ${rule.name} failed: ${textOf(error)}`, {
    code: 'MILLRACE_GUARD_CALLBACK',
  })
}

describeStats<GuardStats>(Guard.prototype, {
  ...gauges('rules', 'pending', 'tripped'),
  ...counters('trips', 'recoveries'),
})

/** What later changes of the program's own objects do not reach; of proxies and inherited fields, too, which the rules were checked with. */
function copyOf<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copyOf) as T
  if (typeof value !== 'object' || value === null) return value
  const entries: [string, unknown][] = []
  for (const key in value) entries.push([key, copyOf(value[key])])
  return Object.fromEntries(entries) as T
}
