import { type Clock, stopwatch, systemClock } from '../clock.ts'
import {
  type ObservedPart,
  type ObserveOptions,
  readStats,
  type StatsSource,
} from '../collect/stats-source.ts'
import { DuplicateMetricError, InvalidOptionError } from '../errors.ts'
import { ByteWriter } from '../export/byte-writer.ts'
import { type MetricsHandler, metricsHandler } from '../export/http-handler.ts'
import { type MetricsJson, toJson } from '../export/json.ts'
import { type Scrape, type ScrapeOptions, scrape } from '../export/scrape.ts'
import { summarize } from '../export/summary.ts'
import { exposeText } from '../export/text.ts'
import { OPENMETRICS, PROMETHEUS, type TextFormat } from '../export/text-format.ts'
import type { Counter } from '../instrument/counter.ts'
import type { SpanIds } from '../instrument/exemplars.ts'
import { Family, type FamilyDescription, type SeriesFactory } from '../instrument/family.ts'
import type { Gauge } from '../instrument/gauge.ts'
import type { Histogram, HistogramSeries, HistogramShape } from '../instrument/histogram.ts'
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
  InstrumentOptions,
  LabelOptions,
} from '../instrument/options.ts'
import { type MetricType, Series } from '../instrument/series.ts'
import { type Timing, TimingSeries } from '../instrument/timing.ts'
import type { UpDownCounter } from '../instrument/up-down-counter.ts'
import { baseName, sampleNames, validateLabelNames, validateMetricName } from '../name.ts'
import { encodeOtlpJson } from '../otlp/json-encoding.ts'
import { type HistogramEncoding, type MetricData, MetricDataReader } from '../otlp/metric-data.ts'
import { encodeOtlpProtobuf, type OtlpContext } from '../otlp/protobuf-encoding.ts'
import type { ResourceAttributes } from '../otlp/resource.ts'
import { type CellStore, HeapCells } from '../store/cells.ts'
import { ClassicBounds, DEFAULT_BUCKETS, validateBuckets } from '../store/classic.ts'
import { emptyDistribution } from '../store/distribution.ts'
import { FINEST_SCHEMA } from '../store/exponential.ts'
import { FRAME, ringOf, WINDOWS } from '../window/window-ring.ts'
import {
  type DistributionStats,
  distributionStats,
  type WindowStats,
  windowStats,
} from '../window/window-stats.ts'
import {
  counterFactory,
  gaugeFactory,
  histogramFactory,
  type SeriesContext,
  upDownCounterFactory,
} from './series-factories.ts'
import { TICK, Ticker } from './ticker.ts'

export interface RegistryOptions {
  /**
   * Whether to measure at all. `false` hands out instruments whose methods are empty; exports are empty too.
   * Default `true`.
   */
  enabled?: boolean
  /** Most series per metric, 1 to 1,000,000, unless the metric says otherwise. Default 2,000. */
  maxSeries?: number
  /**
   * After how many milliseconds without an update a series with labels disappears, 1,000 or more. It comes back with
   * a new start time when updated again. Default `Infinity`: never.
   */
  retention?: number
  /** Whether to keep 1, 5 and 15 minute windows of counters and histograms. Default `true`. */
  windows?: boolean
  /**
   * Returns the ids of the active span, which OpenMetrics and OTLP exports then name as an example of each bucket:
   * `() => tracer.activeSpan()?.spanContext()`. Asked at most once a second per bucket. Default: no exemplars.
   */
  activeSpan?: () => SpanIds | undefined
  /**
   * Where the numbers live: a lane of memory shared with other threads (`claimLane` in `/workers`). Excludes `retention`.
   * Default: the heap.
   */
  store?: CellStore
  /** Source of time. Default: the system's. */
  clock?: Clock
}

export interface OtlpOptions {
  /** Default `exponential`. */
  histograms?: HistogramEncoding
  /** Attributes of this process. Default: none. */
  resource?: ResourceAttributes
}

/** Undoes a registration. */
export interface Registration {
  remove(): void
  [Symbol.dispose](): void
}

/** Bytes to set aside for a first scrape. */
const MIN_SCRAPE = 16_384

const NOOP = new NoopInstrument()
const NOOP_HISTOGRAM = new NoopHistogram()
const NOOP_TIMING = new NoopTiming()

/** Defines metrics, holds their series and exports them. */
export class Registry {
  readonly enabled: boolean
  /** When this registry was made, in milliseconds since the epoch. */
  readonly created: number
  readonly #clock: Clock
  readonly #stopwatch: () => number
  readonly #maxSeries: number
  readonly #retention: number
  readonly #windows: boolean
  readonly #activeSpan: (() => SpanIds | undefined) | undefined
  readonly #context: SeriesContext
  readonly #families = new Map<string, Family>()
  /** By every name a sample has in any format: the metric it belongs to. */
  readonly #claimed = new Map<string, string>()
  readonly #collectors = new Set<() => void>()
  readonly #observed = new Set<{
    readonly name: string
    readonly labels: Readonly<Record<string, string>>
    readonly source: StatsSource
  }>()
  readonly #ticker: Ticker<Registry>
  readonly #writer = new ByteWriter()
  #collectFailures = 0
  #ticks = 0
  #scrapeSize = MIN_SCRAPE

  constructor(options: RegistryOptions = {}) {
    const { enabled = true, maxSeries = 2000, retention = Infinity, clock = systemClock } = options
    const { windows = true, activeSpan, store = new HeapCells() } = options
    this.enabled = enabled
    this.#maxSeries = integer('maxSeries', maxSeries, 1, 1_000_000)
    if (!(retention >= 1000)) {
      throw new InvalidOptionError('retention', 'at least 1000 milliseconds', retention)
    }
    if (retention < Infinity && options.store !== undefined) {
      throw new InvalidOptionError('retention', 'absent beside `store`', retention)
    }
    this.#retention = retention
    this.#windows = windows
    this.#activeSpan = activeSpan
    this.#clock = clock
    this.#stopwatch = stopwatch(clock)
    this.created = clock.now()
    this.#context = {
      store,
      coarseTime: Float64Array.of(this.created),
      now: () => clock.now(),
    }
    this.#ticker = new Ticker<Registry>(clock, this, registry => registry.#tick())
  }

  /** A number that only goes up. With `labels`, a metric to bind or to update by label object. */
  counter(name: string, options?: InstrumentOptions): Counter
  counter<const L extends string>(
    name: string,
    options: InstrumentOptions & LabelOptions<L>,
  ): CounterFamily<L>
  counter(
    name: string,
    options: InstrumentOptions & Partial<LabelOptions<string>> = {},
  ): Counter | CounterFamily {
    if (!this.enabled) return NOOP as never
    const family = this.#define(name, 'counter', options, counterFactory(this.#context))
    return family.description.labelNames.length === 0 ? family.only : new CounterFamily(family)
  }

  /** A count that goes both ways. */
  upDownCounter(name: string, options?: InstrumentOptions): UpDownCounter
  upDownCounter<const L extends string>(
    name: string,
    options: InstrumentOptions & LabelOptions<L>,
  ): UpDownCounterFamily<L>
  upDownCounter(
    name: string,
    options: InstrumentOptions & Partial<LabelOptions<string>> = {},
  ): UpDownCounter | UpDownCounterFamily {
    if (!this.enabled) return NOOP as never
    const family = this.#define(name, 'updown', options, upDownCounterFactory(this.#context))
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
  gauge(
    name: string,
    options: GaugeOptions & Partial<LabelOptions<string>> = {},
  ): Gauge | GaugeFamily {
    if (!this.enabled) return NOOP as never
    const family = this.#define(name, 'gauge', options, gaugeFactory(this.#context))
    return family.description.labelNames.length === 0 ? family.only : new GaugeFamily(family)
  }

  /** A distribution. */
  histogram(name: string, options?: HistogramOptions): Histogram
  histogram<const L extends string>(
    name: string,
    options: HistogramOptions & LabelOptions<L>,
  ): HistogramFamily<L>
  histogram(
    name: string,
    options: HistogramOptions & Partial<LabelOptions<string>> = {},
  ): Histogram | HistogramFamily {
    if (!this.enabled) return NOOP_HISTOGRAM as never
    const family = this.#defineHistogram(name, options)
    return family.description.labelNames.length === 0 ? family.only : new HistogramFamily(family)
  }

  /** Durations and failures. The name should end in `_seconds`. */
  timing(name: string, options?: HistogramOptions): Timing
  timing<const L extends string>(
    name: string,
    options: HistogramOptions & LabelOptions<L>,
  ): TimingFamily<L>
  timing(
    name: string,
    options: HistogramOptions & Partial<LabelOptions<string>> = {},
  ): Timing | TimingFamily {
    if (!this.enabled) return NOOP_TIMING as never
    const durations = this.#defineHistogram(name, { unit: 'seconds', ...options })
    const failures = this.#define(
      `${name.replace(/_seconds$/, '')}_failures_total`,
      'counter',
      {
        help: `Failures among ${name}`,
        maxSeries: options.maxSeries,
        labels: options.labels,
      },
      counterFactory(this.#context),
    )
    return durations.description.labelNames.length === 0
      ? new TimingSeries(durations.only, failures.only, this.#stopwatch)
      : new TimingFamily(durations, failures, this.#stopwatch)
  }

  /**
   * Exports what `source.stats()` returns, read anew before every export: a number `hitRate` as gauge
   * `<name>_hit_rate`, a count `hits` as counter `<name>_hits_total`, a nested object under the label `kind`.
   */
  observe(name: string, source: StatsSource, options: ObserveOptions = {}): Registration {
    if (typeof source?.stats !== 'function') {
      throw new InvalidOptionError('source', 'an object with a stats() method', source)
    }
    validateMetricName(name)
    const { labels = {}, counters } = options
    const collect = (): void => {
      for (const field of readStats(source.stats(), counters)) {
        const values = field.kind === undefined ? labels : { ...labels, kind: field.kind }
        const definition = { labels: Object.keys(values), help: `${field.name} of ${name}` }
        if (field.counter) {
          const metric = `${name}_${field.name}_total`
          const family = this.#define(metric, 'counter', definition, counterFactory(this.#context))
          bindAny(family, values).observeTotal(field.value)
        } else {
          const metric = `${name}_${field.name}`
          const family = this.#define(metric, 'gauge', definition, gaugeFactory(this.#context))
          bindAny(family, values).set(field.value)
        }
      }
    }
    const observed = { name, labels, source }
    this.#observed.add(observed)
    const collecting = this.addCollector(collect)
    return registration(() => {
      collecting.remove()
      this.#observed.delete(observed)
    })
  }

  /** What is observed at the moment, each with its stats as of now. One whose `stats()` throws is left out. */
  observed(): ObservedPart[] {
    const parts: ObservedPart[] = []
    for (const { name, labels, source } of this.#observed) {
      try {
        parts.push({ name, labels, stats: source.stats() })
      } catch {
        this.#collectFailures++
      }
    }
    return parts
  }

  /**
   * The metric of this description, defined if need be: the way in for what counts elsewhere, in another thread or
   * process.    */
  mirror(description: FamilyDescription): Family {
    const { name, type, help, unit, labelNames: labels, aggregate, buckets } = description
    const options = { help, unit, labels, aggregate, buckets, maxSeries: 1_000_000 }
    switch (type) {
      case 'counter':
        return this.#define(name, type, options, counterFactory(this.#context)) as never
      case 'updown':
        return this.#define(name, type, options, upDownCounterFactory(this.#context)) as never
      case 'gauge':
        return this.#define(name, type, options, gaugeFactory(this.#context)) as never
      case 'histogram':
        return this.#defineHistogram(name, options) as never
    }
  }

  /** Calls `collect` before every export. One that throws is counted, and hides no other. */
  addCollector(collect: () => void): Registration {
    if (!this.enabled) return registration(() => {})
    this.#ticker.start()
    this.#collectors.add(collect)
    return registration(() => this.#collectors.delete(collect))
  }

  /** Removes a metric with all its series. Handles to it keep working and count for nothing. */
  remove(name: string): boolean {
    if (!this.#families.delete(name)) return false
    for (const [claimed, owner] of this.#claimed) {
      if (owner === name) this.#claimed.delete(claimed)
    }
    return true
  }

  /** Brings everything up to date and returns the metrics in order of definition. Exporters start here. */
  collect(): readonly Family[] {
    for (const collector of this.#collectors) {
      try {
        collector()
      } catch {
        this.#collectFailures++
      }
    }
    for (const family of this.#families.values()) family.wakeChanged()
    this.#reportItself()
    return [...this.#families.values()]
  }

  /** Prometheus text 0.0.4. Synchronous: for more than some ten thousand series use `scrape`. */
  toPrometheus(): string {
    return this.#toText(PROMETHEUS)
  }

  /** OpenMetrics 1.0 text. */
  toOpenMetrics(): string {
    return this.#toText(OPENMETRICS)
  }

  #toText(format: TextFormat): string {
    this.#writer.length = 0
    for (const _ of exposeText(this.collect(), format, this.#writer));
    return this.#writer.toString()
  }

  /** An exposition in the format that `accept` asks for, written in slices of 2 ms. */
  async scrape(options: ScrapeOptions = {}): Promise<Scrape> {
    const result = await scrape(this.collect(), options, this.#scrapeSize)
    this.#scrapeSize = Math.max(MIN_SCRAPE, Math.ceil(result.body.length * 1.1))
    return result
  }

  /** Answers a scraper: `createServer(metrics.handler())`. */
  handler(): MetricsHandler {
    return metricsHandler(options => this.scrape(options))
  }

  /** Everything there is, as plain data. */
  toJSON(): MetricsJson {
    return toJson(this.collect(), this.created, this.#clock.now(), this.#windows)
  }

  /** An OTLP `ExportMetricsServiceRequest` in protobuf, cumulative. To push, see `OtlpExporter` in `/otlp`. */
  toOtlp(options: OtlpOptions = {}): Uint8Array<ArrayBuffer> {
    const { metrics, context } = this.#otlp(options)
    return encodeOtlpProtobuf(metrics, context)
  }

  /** The same request in OTLP's JSON encoding, as plain data. */
  toOtlpJson(options: OtlpOptions = {}): object {
    const { metrics, context } = this.#otlp(options)
    return encodeOtlpJson(metrics, context)
  }

  #otlp({ histograms = 'exponential', resource = {} }: OtlpOptions): {
    metrics: readonly MetricData[]
    context: OtlpContext
  } {
    const time = this.#clock.now()
    const { metrics } = new MetricDataReader('cumulative').read(this.collect(), time)
    return { metrics, context: { time, temporality: 'cumulative', histograms, resource } }
  }

  /** A line per series, for people. */
  summary(): string {
    return summarize(this.toJSON())
  }

  /** Stops the clock tick. Instruments keep counting and exports keep working. */
  [Symbol.dispose](): void {
    this.#ticker.stop()
  }

  #defineHistogram(
    name: string,
    options: HistogramOptions & Partial<LabelOptions<string>>,
  ): Family<HistogramSeries> {
    const { buckets = DEFAULT_BUCKETS, maxBuckets = 640, recent = 0 } = options
    const { store, coarseTime } = this.#context
    const shape: HistogramShape = {
      store,
      coarseTime,
      activeSpan: this.#activeSpan,
      recent: integer('recent', recent, 0, 100_000),
      classic: new ClassicBounds(validateBuckets(buckets)),
      maxBuckets: integer('maxBuckets', maxBuckets, 80, 4096),
    }
    return this.#define(name, 'histogram', options, histogramFactory(this.#context, shape), buckets)
  }

  #define<S extends Series>(
    name: string,
    type: MetricType,
    options: GaugeOptions & Partial<LabelOptions<string>>,
    factory: SeriesFactory<S>,
    buckets: readonly number[] = [],
  ): Family<S> {
    validateMetricName(name)
    const { labels = [], collect } = options
    validateLabelNames(name, type, labels)
    const description: FamilyDescription = {
      name,
      type,
      help: options.help ?? wordsOf(name),
      unit: options.unit ?? unitOf(name),
      labelNames: [...labels],
      maxSeries: integer('maxSeries', options.maxSeries ?? this.#maxSeries, 1, 1_000_000),
      aggregate: options.aggregate ?? 'sum',
      buckets: [...buckets],
    }
    const existing = this.#families.get(name)
    if (existing !== undefined) {
      checkSame(existing.description, description)
      return existing as unknown as Family<S>
    }
    const names = sampleNames(name, type)
    for (const sample of names) {
      const owner = this.#claimed.get(sample)
      if (owner !== undefined) {
        throw new DuplicateMetricError(name, `is exported as ${sample}, as ${owner} is`)
      }
    }
    for (const sample of names) this.#claimed.set(sample, name)
    const family = new Family(description, factory)
    this.#families.set(name, family as unknown as Family)
    if (collect !== undefined) this.#collectors.add(collect)
    this.#ticker.start()
    return family
  }

  #tick(): void {
    const now = this.#clock.now()
    this.#context.coarseTime[0] = now
    if (this.#retention < Infinity) this.#expire(now)
    if (this.#windows) this.#advanceWindows(now)
  }

  /** A tenth of all series per tick, as a look at a busy histogram takes microseconds. */
  #advanceWindows(now: number): void {
    const ticksPerFrame = FRAME / TICK
    let turn = this.#ticks++ % ticksPerFrame
    for (const family of this.#families.values()) {
      for (const series of family.series()) {
        if (turn++ % ticksPerFrame === 0) ringOf(series, now)?.advance(now)
      }
    }
  }

  /**
   * A counter, histogram or timing over the last minute, 5 or 15 minutes (60,000, 300,000 or 900,000 ms). Windows slide
   * in steps of 10 s (the shortest) or a minute; `span` says how long this one is.
   */
  window(instrument: Histogram | Timing, milliseconds: number): DistributionStats
  window(instrument: Counter, milliseconds: number): WindowStats
  window(instrument: Counter | Histogram | Timing, milliseconds: number): WindowStats {
    if (!WINDOWS.includes(milliseconds as (typeof WINDOWS)[number])) {
      throw new InvalidOptionError('milliseconds', `one of ${WINDOWS.join(', ')}`, milliseconds)
    }
    const series = 'histogram' in instrument ? instrument.histogram : instrument
    const stats =
      series instanceof Series && this.#windows
        ? windowStats(series, milliseconds, this.#clock.now())
        : undefined
    return stats ?? distributionStats(emptyDistribution(FINEST_SCHEMA), milliseconds)
  }

  #expire(now: number): void {
    for (const family of this.#families.values()) {
      family.wakeChanged()
      for (const series of family.series()) {
        const mark = series.mark()
        if (mark === series.lastMark) continue
        series.lastMark = mark
        series.lastChange = now
      }
      family.expire(now - this.#retention)
    }
  }

  /** The registry's own counters, which exist once there is something to say. */
  #reportItself(): void {
    for (const family of [...this.#families.values()]) {
      let rejected = 0
      for (const series of family.series())
        rejected += (series as { rejected?: number }).rejected ?? 0
      const { name } = family.description
      this.#report('rejected', 'Updates dropped for their value', name, rejected)
      this.#report('mislabelled', 'Updates dropped for their labels', name, family.mislabelled)
      this.#report('overflow', 'Updates without a series of their own', name, family.overflowed)
    }
    if (this.#collectFailures > 0) {
      const metric = 'millrace_metrics_collect_failures_total'
      const options = { help: 'Collectors that threw' }
      this.#define(metric, 'counter', options, counterFactory(this.#context)).only.observeTotal(
        this.#collectFailures,
      )
    }
  }

  #report(what: string, help: string, metric: string, total: number): void {
    if (total === 0) return
    const options = { help, labels: ['metric'], maxSeries: 1_000_000 }
    const name = `millrace_metrics_${what}_total`
    const family = this.#define(name, 'counter', options, counterFactory(this.#context))
    family.bind({ metric }).observeTotal(total)
  }
}

function bindAny<S extends Series>(family: Family<S>, labels: Readonly<Record<string, string>>): S {
  return family.description.labelNames.length === 0 ? family.only : family.bind(labels)
}

function registration(undo: () => void): Registration {
  return { remove: undo, [Symbol.dispose]: undo }
}

function integer(option: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new InvalidOptionError(option, `an integer from ${least} to ${most}`, value)
}

function checkSame(existing: FamilyDescription, wanted: FamilyDescription): void {
  const { name } = wanted
  if (existing.type !== wanted.type) {
    throw new DuplicateMetricError(name, `is a ${existing.type} already, not a ${wanted.type}`)
  }
  if (!sameItems(existing.labelNames, wanted.labelNames)) {
    throw new DuplicateMetricError(
      name,
      `has the labels [${existing.labelNames.join(', ')}] already`,
    )
  }
  if (!sameItems(existing.buckets, wanted.buckets)) {
    throw new DuplicateMetricError(name, 'has other buckets already')
  }
}

function sameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i])
}

function wordsOf(name: string): string {
  return baseName(name)
    .replace(/[_.:]+/g, ' ')
    .trim()
}

const UNITS = ['seconds', 'bytes', 'ratio', 'celsius', 'joules', 'meters', 'volts', 'amperes']

function unitOf(name: string): string {
  const base = baseName(name)
  return UNITS.find(unit => base.endsWith(`_${unit}`)) ?? ''
}
