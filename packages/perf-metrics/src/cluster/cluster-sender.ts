import { type Clock, stopwatch, systemClock, type Timer } from '../clock.ts'
import { InvalidOptionError } from '../errors.ts'
import type { CounterSeries } from '../instrument/counter.ts'
import type { Family, FamilyDescription } from '../instrument/family.ts'
import type { GaugeSeries } from '../instrument/gauge.ts'
import type { HistogramSeries } from '../instrument/histogram-series.ts'
import type { Series } from '../instrument/series.ts'
import type { UpDownCounterSeries } from '../instrument/up-down-counter.ts'
import type { Registry } from '../registry/registry.ts'
import { type SlicedWork, startSlices } from '../slices.ts'
import { type Distribution, emptyDistribution } from '../store/distribution.ts'
import { FINEST_SCHEMA } from '../store/exponential.ts'
import { distributionSince } from '../window/window-ring.ts'
import { CHANNEL, type DeltaMessage, type SeriesDelta } from './messages.ts'

export interface ClusterSenderOptions {
  /** Milliseconds between two messages, 50 or more. Default 1,000. */
  interval?: number
  /** How to reach the parent. Default: `process.send`. */
  send?: (message: DeltaMessage) => void
  /** Source of time. Default: the system's. */
  clock?: Clock
}

/** Series of one message, as it is written in one piece. */
const MOST_SERIES = 32

interface Sent {
  mark: number
  value: number
  distribution: Distribution
  classic: ArrayLike<number>
}

/**
 * Sends what a child process counted to its parent: only series that changed, and of those only the change. The parent
 * needs to ask nobody when it is scraped, and a process that dies loses at most one interval.
 */
export class ClusterSender {
  readonly #registry: Registry
  readonly #interval: number
  readonly #send: (message: DeltaMessage) => void
  readonly #clock: Clock
  readonly #numbers = new Map<Family, number>()
  readonly #sent = new WeakMap<Series, Sent>()
  readonly #stopwatch: () => number
  #timer: Timer | undefined
  /** What the interval began to send. */
  #underWay: SlicedWork | undefined

  constructor(registry: Registry, options: ClusterSenderOptions = {}) {
    const { interval = 1000, clock = systemClock, send = process.send?.bind(process) } = options
    if (!(interval >= 50)) {
      throw new InvalidOptionError('interval', 'at least 50 milliseconds', interval)
    }
    if (send === undefined) {
      throw new InvalidOptionError('send', 'given where the process has no parent to talk to', send)
    }
    this.#registry = registry
    this.#interval = interval
    this.#send = send
    this.#clock = clock
    this.#stopwatch = stopwatch(clock)
    this.#schedule()
  }

  #schedule(): void {
    this.#timer = this.#clock.setTimer(() => {
      if (this.#underWay === undefined) this.#sendInSlices()
      this.#schedule()
    }, this.#interval)
  }

  #sendInSlices(): void {
    let finished = false
    const work = startSlices(this.#steps(), this.#clock, this.#stopwatch, () => {
      finished = true
      this.#underWay = undefined
    })
    if (!finished) this.#underWay = work
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
      this.#send({ channel: CHANNEL, families, series })
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
    const before = this.#sent.get(series) ?? {
      mark: 0,
      value: 0,
      distribution: emptyDistribution(FINEST_SCHEMA),
      classic: [],
    }
    const mark = series.mark()
    if (mark === before.mark) return undefined
    if (series.type === 'histogram') {
      const histogram = series as HistogramSeries
      const distribution = histogram.distribution()
      const classic = histogram.classicCounts()
      this.#sent.set(series, { mark, value: 0, distribution, classic })
      const delta = distributionSince(distribution, before.distribution)
      const { min, max } = distribution
      return {
        distribution: { ...delta, counts: Array.from(delta.counts), min, max },
        classic: Array.from(classic, (count, i) => count - (before.classic[i] ?? 0)),
      }
    }
    const { value } = series as CounterSeries | UpDownCounterSeries | GaugeSeries
    this.#sent.set(series, { ...before, mark, value })
    return series.type === 'gauge' ? value : value - before.value
  }

  /** Sends a last time and stops. */
  [Symbol.dispose](): void {
    this.#timer?.cancel()
    this.flush()
  }
}
