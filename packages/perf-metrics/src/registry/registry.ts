import {
  checkBoolean,
  checkClock,
  checkFunction,
  checkInteger,
  checkList,
  checkMethods,
  checkOptions,
  checkRecord,
} from '@millrace/kit'
import { InvalidOptionError } from '../errors.ts'
import { type MetricsHandler, metricsHandler } from '../export/http-handler.ts'
import { type MetricsJson, toJson } from '../export/json.ts'
import type { Scrape, ScrapeOptions } from '../export/scrape.ts'
import { summarize } from '../export/summary.ts'
import { type Counter, CounterSeries } from '../instrument/counter.ts'
import type { Family } from '../instrument/family.ts'
import type { Gauge } from '../instrument/gauge.ts'
import type { Histogram } from '../instrument/histogram.ts'
import { HistogramSeries } from '../instrument/histogram-series.ts'
import {
  CounterFamily,
  GaugeFamily,
  HistogramFamily,
  TimingFamily,
  UpDownCounterFamily,
} from '../instrument/labelled.ts'
import { NoopHistogram, NoopInstrument, NoopTiming } from '../instrument/noop.ts'
import type {
  GaugeOptions,
  HistogramOptions,
  LabelOptions,
  MetricOptions,
} from '../instrument/options.ts'
import { Series } from '../instrument/series.ts'
import { type Timing, TimingSeries } from '../instrument/timing.ts'
import type { UpDownCounter } from '../instrument/up-down-counter.ts'
import type { FamilyDescription } from '../metric/family-description.ts'
import { HeapCells } from '../store/cells.ts'
import { emptyDistribution } from '../store/distribution.ts'
import { FINEST_SCHEMA } from '../store/exponential.ts'
import { Timeline } from '../time/timeline.ts'
import { WINDOWS } from '../window/window-ring.ts'
import {
  type DistributionStats,
  distributionStats,
  type WindowStats,
  windowStats,
} from '../window/window-stats.ts'
import { Catalog, type Definition } from './catalog.ts'
import { Collectors } from './collectors.ts'
import { Exports } from './exports.ts'
import { Maintenance } from './maintenance.ts'
import { ObservedSources } from './observed-sources.ts'
import { type Registration, registration } from './registration.ts'
import {
  type OpenMetricsOptions,
  type OtlpOptions,
  REGISTRY_OPTIONS,
  type RegistryOptions,
} from './registry-options.ts'
import { isSelfReport, SelfReport } from './self-report.ts'
import type { ObservedPart, ObserveOptions, StatsSource } from './stats-source.ts'
import { Ticker, tickOf } from './ticker.ts'

const NOOP = new NoopInstrument()
const NOOP_HISTOGRAM = new NoopHistogram()
const NOOP_TIMING = new NoopTiming()

/** Defines metrics, holds their series and exports them. */
export class Registry {
  readonly enabled: boolean
  /** When this registry was made, in ms since 1970. */
  readonly created: number
  /** What its windows, rates and exports take for the time. */
  readonly timeline: Timeline
  readonly #begun: number
  readonly #windows: boolean
  readonly #coarseTime: Float64Array
  readonly #catalog: Catalog
  readonly #collectors = new Collectors()
  readonly #observed: ObservedSources
  readonly #selfReport: SelfReport
  readonly #maintenance: Maintenance
  readonly #ticker: Ticker<Registry>
  readonly #exports: Exports

  constructor(options: RegistryOptions = {}) {
    checkOptions('', options, REGISTRY_OPTIONS)
    const { enabled = true, maxSeries = 2000, retention = Infinity, clock, wallClock } = options
    const { windows = true, openMetrics2 = false, activeSpan, store = new HeapCells() } = options
    if (!(typeof retention === 'number' && retention >= 1000)) {
      throw new InvalidOptionError('retention', 'a number of at least 1,000', retention)
    }
    if (retention < Infinity && options.store !== undefined) {
      throw new InvalidOptionError('retention', 'absent beside `store`', retention)
    }
    if (clock !== undefined) checkClock('clock', clock)
    if (wallClock !== undefined) checkMethods('wallClock', wallClock, 'a time source', ['now'])
    if (activeSpan !== undefined) checkFunction('activeSpan', activeSpan)
    checkMethods('store', store, 'a store of /workers', ['allocate', 'free'])
    this.enabled = checkBoolean('enabled', enabled)
    this.#windows = checkBoolean('windows', windows)
    this.#exports = new Exports(this, checkBoolean('openMetrics2', openMetrics2))
    const timeline = new Timeline(clock, wallClock)
    this.timeline = timeline
    this.created = timeline.date()
    this.#begun = timeline.now()
    const coarseTime = Float64Array.of(tickOf(this.created))
    this.#coarseTime = coarseTime
    const exemplars = activeSpan && { activeSpan, coarseTime, date: () => timeline.date() }
    this.#catalog = new Catalog(
      { store, coarseTime, exemplars, timeline },
      checkInteger('maxSeries', maxSeries, 1, 1_000_000),
      (name, { collect }) => {
        if (collect !== undefined) this.#collectors.addOf(name, collect)
        this.#ticker.start()
      },
    )
    this.#observed = new ObservedSources(this.#catalog, this.#collectors)
    this.#selfReport = new SelfReport(this.#catalog)
    this.#maintenance = new Maintenance({ catalog: this.#catalog, timeline, retention, windows })
    this.#ticker = new Ticker<Registry>(timeline, this, Registry.#tickOf)
  }

  /** Not a function within the constructor, which would keep the registry for as long as there is a timer. */
  static readonly #tickOf = (registry: Registry): void => registry.#tick()

  /** ms since this registry was made. */
  get uptime(): number {
    return this.timeline.now() - this.#begun
  }

  /** A number that only goes up. With `labels`, a metric to bind or to update by label object. */
  counter(name: string, options?: MetricOptions): Counter
  counter<const L extends string>(
    name: string,
    options: MetricOptions & LabelOptions<L>,
  ): CounterFamily<L>
  counter(name: string, options: Definition = {}): Counter | CounterFamily {
    if (!this.enabled) return NOOP as never
    const family = this.#catalog.counter(name, options)
    return family.description.labelNames.length === 0 ? family.only : new CounterFamily(family)
  }

  /** A count that goes both ways. */
  upDownCounter(name: string, options?: MetricOptions): UpDownCounter
  upDownCounter<const L extends string>(
    name: string,
    options: MetricOptions & LabelOptions<L>,
  ): UpDownCounterFamily<L>
  upDownCounter(name: string, options: Definition = {}): UpDownCounter | UpDownCounterFamily {
    if (!this.enabled) return NOOP as never
    const family = this.#catalog.upDownCounter(name, options)
    return family.description.labelNames.length === 0
      ? family.only
      : new UpDownCounterFamily(family)
  }

  /** A value of the moment. */
  gauge(name: string, options?: GaugeOptions): Gauge
  gauge<const L extends string>(
    name: string,
    options: GaugeOptions & LabelOptions<L>,
  ): GaugeFamily<L>
  gauge(name: string, options: Definition<GaugeOptions> = {}): Gauge | GaugeFamily {
    if (!this.enabled) return NOOP as never
    const family = this.#catalog.gauge(name, options)
    return family.description.labelNames.length === 0 ? family.only : new GaugeFamily(family)
  }

  /** A distribution. */
  histogram(name: string, options?: HistogramOptions): Histogram
  histogram<const L extends string>(
    name: string,
    options: HistogramOptions & LabelOptions<L>,
  ): HistogramFamily<L>
  histogram(name: string, options: Definition<HistogramOptions> = {}): Histogram | HistogramFamily {
    if (!this.enabled) return NOOP_HISTOGRAM as never
    const family = this.#catalog.histogram(name, options)
    return family.description.labelNames.length === 0 ? family.only : new HistogramFamily(family)
  }

  /** Durations and failures of an operation. The name should end in `_seconds`, as Prometheus wants the unit in it. */
  timing(name: string, options?: HistogramOptions): Timing
  timing<const L extends string>(
    name: string,
    options: HistogramOptions & LabelOptions<L>,
  ): TimingFamily<L>
  timing(name: string, options: Definition<HistogramOptions> = {}): Timing | TimingFamily {
    if (!this.enabled) return NOOP_TIMING as never
    const { durations, failures } = this.#catalog.timing(name, options)
    return durations.description.labelNames.length === 0
      ? new TimingSeries(durations.only, failures.only, this.timeline.stopwatch)
      : new TimingFamily(durations, failures, this.timeline.stopwatch)
  }

  /**
   * Exports what `source.stats()` returns, read anew before every export: a number `hitRate` as gauge
   * `<name>_hit_rate`, a count `hits` as counter `<name>_hits_total`, a nested object under the label `kind`.
   */
  observe(name: string, source: StatsSource, options: ObserveOptions = {}): Registration {
    if (this.enabled) this.#ticker.start()
    return this.#observed.add(name, source, options)
  }

  /** What is observed at the moment, each with its stats as of now. One whose `stats()` throws, or returns no object, is left out. */
  observed(): ObservedPart[] {
    return this.#observed.parts()
  }

  /**
   * The metric of this description, defined if need be: the way in for what counts elsewhere, in another thread or
   * process.
   */
  mirror(description: FamilyDescription): Family {
    return this.#catalog.mirror(description)
  }

  /** Of all timings there are: the metrics of their durations, and of their failures. */
  timings(): string[] {
    return Array.from(this.#catalog.families()).flatMap(({ description: { name, failures } }) =>
      failures === undefined ? [] : [name, failures],
    )
  }

  /**
   * Calls `collect` before every export, in the turn in which that begins. One that throws is counted, and hides no
   * other.
   *
   * @param prefixes beginnings of the names of the metrics that it brings up to date: it is not called for a guard, say, whose rules name
   * none of them. Default: any name
   */
  addCollector(collect: () => void, prefixes?: readonly string[]): Registration {
    checkFunction('collect', collect)
    if (prefixes !== undefined) checkList('prefixes', prefixes, 'an array of strings')
    if (!this.enabled) return registration(() => {})
    this.#ticker.start()
    return this.#collectors.add(collect, prefixes)
  }

  /** Removes a metric with all its series and its `collect`. Handles to it keep working and count for nothing. */
  remove(name: string): boolean {
    this.#collectors.removeOf(name)
    return this.#catalog.remove(name)
  }

  /** Of all metrics there are, in order of definition. */
  names(): string[] {
    return Array.from(this.#catalog.families(), ({ description }) => description.name)
  }

  /**
   * Brings metrics up to date and returns them in order of definition. Exporters start here.
   *
   * @param names the only ones wanted; what brings others up to date is not called. Default: all
   */
  collect(names?: readonly string[]): readonly Family[] {
    if (!this.enabled) return []
    this.#collectors.run(names)
    for (const family of this.#catalog.select(names)) family.wakeChanged()
    if (names === undefined || names.some(isSelfReport)) {
      this.#selfReport.update(this.#collectors.failures)
    }
    return this.#catalog.select(names)
  }

  /** Prometheus text 0.0.4. In one piece, 2 ms per 1,000 histogram series and 10 the first time: see `scrape`. */
  toPrometheus(): string {
    return this.#exports.prometheus()
  }

  /** OpenMetrics text, 1.0 unless 2.0 is asked for. In one piece too. */
  toOpenMetrics(options: OpenMetricsOptions = {}): string {
    return this.#exports.openMetrics(options)
  }

  /** An exposition in the format that `accept` asks for, written in slices of half a millisecond. */
  async scrape(options: ScrapeOptions = {}): Promise<Scrape> {
    return this.#exports.scrape(options)
  }

  /** Answers a scraper: `createServer(metrics.handler())`. */
  handler(): MetricsHandler {
    return metricsHandler(options => this.scrape(options))
  }

  /** Everything there is, as plain data. In one piece, 40 ms per 1,000 histogram series. */
  toJSON(): MetricsJson {
    return toJson(this, this.collect(), this.#windows)
  }

  /**
   * An OTLP `ExportMetricsServiceRequest` in protobuf, cumulative. In one piece, 5 ms per 1,000 timings. To
   * push, see `OtlpMetricExporter` in `/otlp`.
   */
  toOtlp(options: OtlpOptions = {}): Uint8Array<ArrayBuffer> {
    return this.#exports.otlp(options)
  }

  /** The same request in OTLP's JSON encoding, as plain data. */
  toOtlpJson(options: OtlpOptions = {}): object {
    return this.#exports.otlpJson(options)
  }

  /** A line per series, for people. In one piece, as long as {@link toJSON}. */
  summary(): string {
    return summarize(this.toJSON())
  }

  /** Stops the clock tick, on which windows and retention depend. Instruments keep counting and exports keep working. */
  close(): void {
    this.#ticker.close()
  }

  /** As {@link close}. */
  [Symbol.dispose](): void {
    this.close()
  }

  #tick(): void {
    this.#coarseTime[0] = tickOf(this.timeline.date())
    this.#maintenance.tick()
  }

  /**
   * A counter, histogram or timing over the last minute, 5 or 15 minutes (60,000, 300,000 or 900,000 ms). Windows slide
   * in steps of 10 s (the shortest) or a minute; `span` says how long this one is.
   *
   * @throws InvalidOptionError for another window, and for what has none: gauges, and metrics whose labels are not bound
   */
  window(instrument: Histogram | Timing, milliseconds: number): DistributionStats
  window(instrument: Counter, milliseconds: number): WindowStats
  window(instrument: Counter | Histogram | Timing, milliseconds: number): WindowStats {
    if (!WINDOWS.includes(milliseconds as (typeof WINDOWS)[number])) {
      throw new InvalidOptionError('milliseconds', `one of ${WINDOWS.join(', ')}`, milliseconds)
    }
    checkRecord('instrument', instrument, 'a counter, histogram or timing')
    const series = 'histogram' in instrument ? instrument.histogram : instrument
    if (this.enabled && !(series instanceof CounterSeries || series instanceof HistogramSeries)) {
      const expected = 'a counter, histogram or timing, whose labels are bound if it has any'
      throw new InvalidOptionError('instrument', expected, instrument)
    }
    const stats =
      series instanceof Series && this.#windows
        ? windowStats(series, milliseconds, this.timeline.now())
        : undefined
    return stats ?? distributionStats(emptyDistribution(FINEST_SCHEMA), milliseconds)
  }
}
