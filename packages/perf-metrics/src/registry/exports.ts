import { checkOneOf, checkOptions, type OptionNames } from '@millrace/kit'
import { ByteWriter } from '../bytes/byte-writer.ts'
import { ProtoWriter } from '../bytes/proto-writer.ts'
import { InvalidOptionError } from '../errors.ts'
import { COMPOSITE, OPENMETRICS, PROMETHEUS, type TextFormat } from '../export/exposition-format.ts'
import { negotiate } from '../export/negotiate.ts'
import { exposeText, type Scrape, type ScrapeOptions, scrape } from '../export/scrape.ts'
import type { Family } from '../instrument/family.ts'
import { toOtlpJson } from '../otlp/json-encoding.ts'
import { MetricDataReader, type Reading } from '../otlp/metric-data.ts'
import { encodeOtlpProtobuf, type OtlpContext } from '../otlp/protobuf-encoding.ts'
import { checkResource } from '../otlp/resource.ts'
import type { Timeline } from '../time/timeline.ts'
import type { OpenMetricsOptions, OtlpOptions } from './registry-options.ts'

/** Bytes to set aside for a first scrape. */
const MIN_SCRAPE = 16_384

const SCRAPE: OptionNames<ScrapeOptions> = { accept: true, signal: true }
const OPEN_METRICS: OptionNames<OpenMetricsOptions> = { version: true }
const OTLP: OptionNames<OtlpOptions> = { histograms: true, resource: true }

interface ExportSource {
  readonly timeline: Timeline
  /** Brings everything up to date. */
  collect(): readonly Family[]
}

/** A registry in the formats of others. */
export class Exports {
  readonly #source: ExportSource
  readonly #openMetrics2: boolean
  readonly #writer = new ByteWriter()
  #scrapeSize = MIN_SCRAPE

  /** @param openMetrics2 whether scrapers that ask for OpenMetrics 2.0 get it */
  constructor(source: ExportSource, openMetrics2: boolean) {
    this.#source = source
    this.#openMetrics2 = openMetrics2
  }

  prometheus(): string {
    return this.#text(PROMETHEUS)
  }

  openMetrics(options: OpenMetricsOptions): string {
    const { version = '1.0' } = checkOptions('', options, OPEN_METRICS)
    checkOneOf('version', version, ['1.0', '2.0'])
    return this.#text(version === '2.0' ? COMPOSITE : OPENMETRICS)
  }

  #text(format: TextFormat): string {
    this.#writer.reset()
    for (const _ of exposeText(this.#source.collect(), format, this.#writer));
    return this.#writer.toString()
  }

  async scrape(options: ScrapeOptions): Promise<Scrape> {
    const { accept } = checkOptions('', options, SCRAPE)
    if (accept !== undefined && typeof accept !== 'string') {
      throw new InvalidOptionError('accept', 'a string', accept)
    }
    const format = negotiate(accept, this.#openMetrics2)
    const result = await scrape(this.#source.collect(), options, format, this.#scrapeSize)
    this.#scrapeSize = Math.max(MIN_SCRAPE, Math.ceil(result.body.length * 1.1))
    return result
  }

  otlp(options: OtlpOptions): Uint8Array<ArrayBuffer> {
    const { metrics, context } = this.#read(options)
    const out = new ProtoWriter()
    for (const _ of encodeOtlpProtobuf(metrics, context, out));
    // A copy, as the writer's memory is larger than what it wrote.
    return new Uint8Array(out.finish())
  }

  otlpJson(options: OtlpOptions): object {
    const { metrics, context } = this.#read(options)
    return toOtlpJson(metrics, context)
  }

  #read(options: OtlpOptions): { metrics: Reading['metrics']; context: OtlpContext } {
    const { histograms = 'exponential', resource = {} } = checkOptions('', options, OTLP)
    checkOneOf('histograms', histograms, ['exponential', 'explicit'])
    checkResource(resource)
    const reader = new MetricDataReader('cumulative', histograms)
    const families = this.#source.collect()
    // Not before: a reading leaves out what begins after its moment, as do series that collectors make.
    const moment = this.#source.timeline.moment()
    const { metrics } = reader.read(families, moment)
    const time = moment.date
    return { metrics, context: { time, temporality: 'cumulative', histograms, resource } }
  }
}
