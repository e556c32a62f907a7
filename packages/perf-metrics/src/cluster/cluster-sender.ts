import {
  type Clock,
  checkAtLeast,
  checkClock,
  checkFunction,
  checkMethods,
  type OptionRules,
  resolveOptions,
  type Timer,
  withDefault,
} from '@millrace/kit'
import type { CounterSeries } from '../instrument/counter.ts'
import type { Family } from '../instrument/family.ts'
import type { GaugeSeries } from '../instrument/gauge.ts'
import type { HistogramSeries } from '../instrument/histogram-series.ts'
import type { Series } from '../instrument/series.ts'
import type { UpDownCounterSeries } from '../instrument/up-down-counter.ts'
import type { FamilyDescription } from '../metric/family-description.ts'
import type { Registry } from '../registry/registry.ts'
import { type Distribution, distributionSince, emptyDistribution } from '../store/distribution.ts'
import { FINEST_SCHEMA } from '../store/exponential.ts'
import { type SlicedWork, startSlices } from '../time/slices.ts'
import { CHANNEL, type DeltaMessage, type SeriesDelta } from './messages.ts'

export interface ClusterSenderOptions {
  /** ms between two messages, 50 or more. Default: 1,000 */
  readonly interval?: number | undefined
  /** How to reach the parent. Default: `process.send` */
  readonly send?: ((message: DeltaMessage) => void) | undefined
  /** Source of time. Default: the registry's */
  readonly clock?: Clock | undefined
}

type Send = (message: DeltaMessage) => void

const rulesOf = (registry: Registry): OptionRules<ClusterSenderOptions> => ({
  interval: withDefault(1_000, checkAtLeast, 50),
  send: (option, send = sendToParent()) =>
    checkFunction(option, send as Send, 'a function where the process has no parent to talk to'),
  clock: withDefault(registry.timeline, checkClock<Clock>),
})

/** Series of one message, as it is written in one piece. */
const MOST_SERIES = 32

/** What was sent of a series. */
interface Sent {
  /** When it began to count: one that was removed and came back counts from zero. */
  begun: number
  mark: number
  value: number
  distribution: Distribution
  classic: ArrayLike<number>
}

/**
 * Sends what a child process counted to its parent: only series that changed, and of those only the change. The parent
 * needs to ask no worker when it is scraped, and a process that dies loses at most one interval.
 */
export class ClusterSender {
  readonly #registry: Registry
  readonly #interval: number
  readonly #send: Send
  readonly #clock: Clock
  readonly #id = Math.trunc(Math.random() * Number.MAX_SAFE_INTEGER)
  readonly #numbers = new Map<Family, number>()
  readonly #sent = new WeakMap<Series, Sent>()
  #timer: Timer | undefined
  #closed = false
  /** What the interval began to send. */
  #underWay: SlicedWork | undefined

  constructor(registry: Registry, options: ClusterSenderOptions = {}) {
    checkMethods('registry', registry, 'a Registry', ['collect'])
    const { interval, send, clock } = resolveOptions('', options, rulesOf(registry))
    this.#registry = registry
    this.#interval = interval
    this.#send = send
    this.#clock = clock
    this.#schedule()
  }

  #schedule(): void {
    this.#timer = this.#clock.setTimer(() => {
      if (this.#underWay === undefined) this.#sendInSlices()
      this.#schedule()
    }, this.#interval)
  }

  #sendInSlices(): void {
    this.#underWay = startSlices(this.#steps(), this.#clock, () => {
      this.#underWay = undefined
    })
  }

  /**
   * Sends what has changed since the last message, if anything has: all of it at once, where the interval does it in
   * slices of half a millisecond.
   */
  flush(): void {
    this.#underWay?.finish()
    for (const _ of this.#steps());
  }

  *#steps(): Generator<void, void> {
    let families: FamilyDescription[] = []
    let series: SeriesDelta[] = []
    const send = (): void => {
      if (families.length === 0 && series.length === 0) return
      this.#send({ channel: CHANNEL, sender: this.#id, families, series })
      families = []
      series = []
    }
    for (const family of this.#registry.collect()) {
      let number = this.#numbers.get(family)
      if (number === undefined) {
        number = this.#numbers.size
        this.#numbers.set(family, number)
        families.push(family.description)
      }
      for (const one of family.series()) {
        const value = this.#change(one)
        if (value !== undefined)
          series.push({ family: number, labelValues: one.labelValues, value })
        if (series.length === MOST_SERIES) send()
        yield
      }
    }
    send()
  }

  #change(series: Series): SeriesDelta['value'] | undefined {
    const { begun } = series
    const known = this.#sent.get(series)
    const before: Sent =
      known?.begun === begun
        ? known
        : { begun, mark: 0, value: 0, distribution: emptyDistribution(FINEST_SCHEMA), classic: [] }
    const mark = series.mark()
    if (mark === before.mark) return undefined
    if (series.type === 'histogram') {
      const histogram = series as HistogramSeries
      const distribution = histogram.distribution()
      const classic = histogram.classicCounts()
      this.#sent.set(series, { begun, mark, value: 0, distribution, classic })
      const delta = distributionSince(distribution, before.distribution)
      const { min, max } = distribution
      return {
        distribution: {
          ...delta,
          sum: finite(delta.sum),
          counts: Array.from(delta.counts),
          min,
          max,
        },
        classic: Array.from(classic, (count, i) => count - (before.classic[i] ?? 0)),
      }
    }
    const { value } = series as CounterSeries | UpDownCounterSeries | GaugeSeries
    this.#sent.set(series, { ...before, mark, value })
    if (series.type !== 'gauge') return value === before.value ? 0 : finite(value - before.value)
    return Number.isFinite(value) ? value : (`${value}` as 'Infinity' | '-Infinity')
  }

  /** Sends a last time and stops. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.cancel()
    this.flush()
  }

  /** As {@link close}. */
  [Symbol.dispose](): void {
    this.close()
  }
}

/** As large as the channel between processes, which speaks JSON, can say. */
function finite(change: number): number {
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, change))
}

/** Where there is no parent any more, nothing is left to be told: without a callback, that would end the process. */
function sendToParent(): Send | undefined {
  if (process.send === undefined) return undefined
  return message => process.send?.(message, undefined, {}, () => {})
}
