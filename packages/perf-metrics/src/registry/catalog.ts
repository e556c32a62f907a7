import { checkFunction, checkInteger, checkOneOf, checkOptions, checkRecord } from '@millrace/kit'
import { DuplicateMetricError, InvalidOptionError } from '../errors.ts'
import type { CounterSeries } from '../instrument/counter.ts'
import { Family, type SeriesFactory } from '../instrument/family.ts'
import type { GaugeSeries } from '../instrument/gauge.ts'
import type { HistogramSeries, HistogramShape } from '../instrument/histogram-series.ts'
import {
  GAUGE_OPTIONS,
  type GaugeOptions,
  HISTOGRAM_OPTIONS,
  type HistogramOptions,
  INSTRUMENT_OPTIONS,
  type LabelOptions,
  type MetricOptions,
} from '../instrument/options.ts'
import type { Series } from '../instrument/series.ts'
import type { UpDownCounterSeries } from '../instrument/up-down-counter.ts'
import { sampleNames, validateLabelNames } from '../metric/exported-names.ts'
import type { Aggregation, FamilyDescription, MetricType } from '../metric/family-description.ts'
import { baseName, validateMetricName } from '../metric/name.ts'
import { ClassicBounds, DEFAULT_BUCKETS, validateBuckets } from '../store/classic.ts'
import {
  counterFactory,
  gaugeFactory,
  histogramFactory,
  type SeriesContext,
  upDownCounterFactory,
} from './series-factories.ts'

const AGGREGATIONS: readonly Aggregation[] = ['sum', 'min', 'max', 'last']

/** An instrument's options, and labels where it has some. */
export type Definition<O extends MetricOptions = MetricOptions> = O & Partial<LabelOptions<string>>

/** The metrics of a registry: each is defined once, and no two of them are exported under one name. */
export class Catalog {
  readonly #context: SeriesContext
  readonly #maxSeries: number
  readonly #onDefined: (name: string, options: MetricOptions) => void
  readonly #families = new Map<string, Family>()
  /** By every name a sample has in any format: the metric it belongs to. */
  readonly #claimed = new Map<string, string>()

  /**
   * @param maxSeries cardinality budget of a metric that names none
   * @param onDefined told of every metric that is new
   */
  constructor(
    context: SeriesContext,
    maxSeries: number,
    onDefined: (name: string, options: MetricOptions) => void,
  ) {
    this.#context = context
    this.#maxSeries = maxSeries
    this.#onDefined = onDefined
  }

  get(name: string): Family | undefined {
    return this.#families.get(name)
  }

  /** In order of definition. */
  families(): Iterable<Family> {
    return this.#families.values()
  }

  /** Those of some names, in their order, as far as there are such; without names all, in order of definition. */
  select(names: readonly string[] | undefined): Family[] {
    if (names === undefined) return [...this.#families.values()]
    return names.flatMap(name => this.#families.get(name) ?? [])
  }

  counter(name: string, options: Definition): Family<CounterSeries> {
    checkOptions(name, options, INSTRUMENT_OPTIONS)
    return this.#define(name, 'counter', options, counterFactory(this.#context))
  }

  upDownCounter(name: string, options: Definition): Family<UpDownCounterSeries> {
    checkOptions(name, options, INSTRUMENT_OPTIONS)
    return this.#define(name, 'updown', options, upDownCounterFactory(this.#context))
  }

  gauge(name: string, options: Definition<GaugeOptions>): Family<GaugeSeries> {
    checkOptions(name, options, GAUGE_OPTIONS)
    return this.#define(name, 'gauge', options, gaugeFactory(this.#context))
  }

  /** @param failures the counter beside it, if it is a timing */
  histogram(
    name: string,
    options: Definition<HistogramOptions>,
    failures?: string,
  ): Family<HistogramSeries> {
    checkOptions(name, options, HISTOGRAM_OPTIONS)
    const { buckets = DEFAULT_BUCKETS, maxBuckets = 640, recent = 0 } = options
    const { store, exemplars } = this.#context
    const shape: HistogramShape = {
      store,
      exemplars,
      recent: checkInteger('recent', recent, 0, 100_000),
      classic: new ClassicBounds(validateBuckets(buckets)),
      maxBuckets: checkInteger('maxBuckets', maxBuckets, 80, 4096),
    }
    const factory = histogramFactory(this.#context, shape)
    return this.#define(name, 'histogram', options, factory, { buckets, failures })
  }

  /** The durations of a timing, and its failures. */
  timing(
    name: string,
    options: Definition<HistogramOptions>,
  ): { durations: Family<HistogramSeries>; failures: Family<CounterSeries> } {
    const counter = `${String(name).replace(/_seconds$/, '')}_failures_total`
    const whole = { unit: 'seconds', ...checkRecord('options', options) }
    const durations = this.histogram(name, whole, counter)
    const { maxSeries, labels } = options
    const help = `Failures among ${name}`
    const failures = this.counter(counter, { help, maxSeries, labels })
    return { durations, failures }
  }

  /** The metric of this description, which counts elsewhere. */
  mirror(description: FamilyDescription): Family {
    const { name, type, help, unit, labelNames: labels, aggregate, buckets, failures } = description
    const options = { help, unit, labels, maxSeries: 1_000_000 }
    switch (type) {
      case 'counter':
        return this.counter(name, options) as never
      case 'updown':
        return this.upDownCounter(name, options) as never
      case 'gauge':
        return this.gauge(name, { ...options, aggregate }) as never
      case 'histogram':
        return this.histogram(name, { ...options, buckets }, failures) as never
    }
  }

  remove(name: string): boolean {
    if (!this.#families.delete(name)) return false
    for (const [claimed, owner] of this.#claimed) {
      if (owner === name) this.#claimed.delete(claimed)
    }
    return true
  }

  #define<S extends Series>(
    name: string,
    type: MetricType,
    options: Definition<GaugeOptions>,
    factory: SeriesFactory<S>,
    { buckets = [], failures }: Partial<Pick<FamilyDescription, 'buckets' | 'failures'>> = {},
  ): Family<S> {
    validateMetricName(name)
    const { labels = [] } = options
    validateLabelNames(name, type, labels)
    const { help = wordsOf(name), unit = unitOf(name), collect } = options
    checkLine('help', help)
    checkLine('unit', unit)
    if (collect !== undefined) checkFunction('collect', collect)
    const description: FamilyDescription = {
      name,
      type,
      help,
      unit,
      labelNames: [...labels],
      maxSeries: checkInteger('maxSeries', options.maxSeries ?? this.#maxSeries, 1, 1_000_000),
      aggregate: checkOneOf('aggregate', options.aggregate ?? 'sum', AGGREGATIONS),
      buckets: [...buckets],
      failures,
    }
    const existing = this.#families.get(name)
    if (existing !== undefined) {
      checkSame(existing.description, description)
      if (failures !== undefined) existing.markTiming(failures)
      return existing as unknown as Family<S>
    }
    this.#claim(name, type)
    const family = new Family(description, factory)
    this.#families.set(name, family as unknown as Family)
    this.#onDefined(name, options)
    return family
  }

  #claim(name: string, type: MetricType): void {
    const names = sampleNames(name, type)
    for (const sample of names) {
      const owner = this.#claimed.get(sample)
      if (owner !== undefined) {
        throw new DuplicateMetricError(name, `is exported as ${sample}, as ${owner} is`)
      }
    }
    for (const sample of names) this.#claimed.set(sample, name)
  }
}

function checkLine(option: string, text: string): void {
  if (typeof text !== 'string') throw new InvalidOptionError(option, 'a string', text)
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
