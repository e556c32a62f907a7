import type { Clock, Timer } from '@millrace/kit'
import { assembled } from '../bytes/assembled.ts'
import { ByteWriter } from '../bytes/byte-writer.ts'
import { gzipped } from '../bytes/gzip.ts'
import { ProtoWriter } from '../bytes/proto-writer.ts'
import { InvalidOptionError, MetricsExportError } from '../errors.ts'
import { encodeOtlpJson } from '../otlp/json-encoding.ts'
import { type HistogramEncoding, MetricDataReader, type Temporality } from '../otlp/metric-data.ts'
import { encodeOtlpProtobuf } from '../otlp/protobuf-encoding.ts'
import { type ResourceAttributes, resourceFromEnvironment } from '../otlp/resource.ts'
import type { Registry } from '../registry/registry.ts'
import { inSlices, type Pace, paceOf } from '../time/slices.ts'
import { type PartialSuccess, readPartialSuccess } from './partial-success.ts'
import { type PostOptions, post } from './post.ts'

/** Statuses after which the specification has a client try again. */
const RETRYABLE = new Set([429, 502, 503, 504])
const TRIES = 5
const FIRST_BACKOFF = 1000
/** What zlib calls its default. */
const COMPRESSION_LEVEL = 6

export interface OtlpExporterOptions {
  /**
   * Where to post to. Default: `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`, or `OTEL_EXPORTER_OTLP_ENDPOINT` with
   * `/v1/metrics`, or `http://localhost:4318/v1/metrics`.
   */
  url?: string
  /** Headers to send, for instance a key. Default: those of `OTEL_EXPORTER_OTLP_HEADERS`. */
  headers?: Readonly<Record<string, string>>
  /** Milliseconds between two exports, 100 or more. Default: `OTEL_METRIC_EXPORT_INTERVAL`, or 60,000. */
  interval?: number
  /** Milliseconds that one try may take, 1 or more. Default: `OTEL_METRIC_EXPORT_TIMEOUT`, or 10,000. */
  timeout?: number
  /** Default `cumulative`. With `delta` a failed export is contained in the next one. */
  temporality?: Temporality
  /** Default `exponential`. */
  histograms?: HistogramEncoding
  /** Default `protobuf`. */
  encoding?: 'protobuf' | 'json'
  /** Default `gzip`. */
  compression?: 'gzip' | 'none'
  /** Attributes of this process, over those of `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`. */
  resource?: ResourceAttributes
  /** Told of every export that failed for good. Default: only counted in `stats()`. */
  onError?: (error: MetricsExportError) => void
  /** Source of time. Default: the system's. */
  clock?: Clock
}

export interface OtlpExporterStats {
  /** Exports that arrived. */
  exports: number
  /** Exports given up. */
  failures: number
  /** Further tries of exports. */
  retries: number
  /** Data points that arrived. */
  pointsSent: number
  /** Data points that the collector said it dropped. */
  pointsRejected: number
  /** Bytes posted, after compression. */
  bytes: number
}

/**
 * Pushes a registry to an OpenTelemetry collector over OTLP/HTTP, on an interval and at the end. Requests are written in
 * slices of half a millisecond; a series is consistent in itself, and two series may be read at different times.
 */
export class OtlpExporter {
  readonly #registry: Registry
  readonly #options: Required<Omit<OtlpExporterOptions, 'onError'>>
  readonly #onError: (error: MetricsExportError) => void
  readonly #reader: MetricDataReader
  readonly #pace: Pace
  readonly #stats: OtlpExporterStats = {
    exports: 0,
    failures: 0,
    retries: 0,
    pointsSent: 0,
    pointsRejected: 0,
    bytes: 0,
  }
  readonly #ended = new AbortController()
  #timer: Timer | undefined
  /** The export under way: the specification forbids two at a time. */
  #running: Promise<void> | undefined

  constructor(registry: Registry, options: OtlpExporterOptions = {}) {
    const { env } = process
    const base = env.OTEL_EXPORTER_OTLP_ENDPOINT?.replace(/\/$/, '')
    this.#registry = registry
    this.#onError = options.onError ?? (() => {})
    this.#options = {
      url:
        options.url ??
        env.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT ??
        `${base ?? 'http://localhost:4318'}/v1/metrics`,
      headers: options.headers ?? headersOf(env.OTEL_EXPORTER_OTLP_HEADERS),
      interval: atLeast('interval', 100, options.interval, env.OTEL_METRIC_EXPORT_INTERVAL, 60_000),
      timeout: atLeast('timeout', 1, options.timeout, env.OTEL_METRIC_EXPORT_TIMEOUT, 10_000),
      temporality: oneOf('temporality', ['cumulative', 'delta'], options.temporality),
      histograms: oneOf('histograms', ['exponential', 'explicit'], options.histograms),
      encoding: oneOf('encoding', ['protobuf', 'json'], options.encoding),
      compression: oneOf('compression', ['gzip', 'none'], options.compression),
      resource: { ...resourceFromEnvironment(env), ...options.resource },
      clock: options.clock ?? registry.timeline,
    }
    if (!/^https?:$/.test(URL.parse(this.#options.url)?.protocol ?? '')) {
      throw new InvalidOptionError('url', 'an http or https URL', this.#options.url)
    }
    this.#reader = new MetricDataReader(this.#options.temporality, this.#options.histograms)
    this.#pace = paceOf(this.#options.clock)
    this.#schedule()
  }

  /** Exports now, after the export under way if there is one. Rejects with an `MetricsExportError`. */
  async export(): Promise<void> {
    // Its own caller is told of its failure.
    while (this.#running !== undefined) await this.#running.catch(() => {})
    const running = this.#exportOnce()
    this.#running = running
    try {
      await running
    } finally {
      this.#running = undefined
    }
  }

  stats(): OtlpExporterStats {
    return { ...this.#stats }
  }

  /** Stops the interval and exports a last time; a failure is reported, not thrown. Waits no longer than one try. */
  async close(): Promise<void> {
    if (this.#ended.signal.aborted) return
    this.#timer?.cancel()
    this.#ended.abort()
    // A failure has been counted and reported by then, and there is no later try.
    await this.export().catch(() => {})
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #schedule(): void {
    this.#timer = this.#options.clock.setTimer(() => {
      // A failure has been reported already, and the next interval brings the next try.
      void this.export()
        .catch(() => {})
        .finally(() => {
          if (!this.#ended.signal.aborted) this.#schedule()
        })
    }, this.#options.interval)
  }

  async #exportOnce(): Promise<void> {
    const { temporality, histograms, resource, encoding } = this.#options
    const { timeline } = this.#registry
    const moment = timeline.moment()
    const time = moment.date
    const reading = this.#reader.read(this.#registry.collect(), moment)
    const context = { time, temporality, histograms, resource }
    const json = encoding === 'json'
    const out = json ? new ByteWriter() : new ProtoWriter()
    const steps = json
      ? encodeOtlpJson(reading.metrics, context, out)
      : encodeOtlpProtobuf(reading.metrics, context, out as ProtoWriter)
    await inSlices(steps, undefined, this.#pace)
    if (reading.points === 0) return
    try {
      const body = await this.#body(out)
      const { rejected } = await this.#post(body)
      reading.delivered = true
      this.#stats.exports++
      this.#stats.pointsSent += reading.points - rejected
      this.#stats.pointsRejected += rejected
    } catch (cause) {
      this.#stats.failures++
      const error =
        cause instanceof MetricsExportError
          ? cause
          : new MetricsExportError('The metrics could not be delivered', undefined, { cause })
      this.#onError(error)
      throw error
    }
  }

  #body(out: ByteWriter): Promise<Uint8Array<ArrayBuffer>> {
    return this.#options.compression === 'gzip'
      ? gzipped(out.chunks(), COMPRESSION_LEVEL)
      : assembled(out, undefined, this.#pace)
  }

  async #post(body: Uint8Array<ArrayBuffer>): Promise<PartialSuccess> {
    const { compression, headers, encoding, url, timeout } = this.#options
    const request = {
      body,
      timeout,
      headers: {
        ...headers,
        'content-type': encoding === 'json' ? 'application/json' : 'application/x-protobuf',
        ...(compression === 'gzip' ? { 'content-encoding': 'gzip' } : undefined),
      },
    }
    for (let attempt = 1; ; attempt++) {
      this.#stats.bytes += body.length
      const outcome = await attemptPost(url, request)
      if ('answer' in outcome) return readPartialSuccess(outcome.answer, encoding)
      const { error, retryAfter, retryable } = outcome
      if (!retryable || attempt === TRIES || this.#ended.signal.aborted) throw error
      this.#stats.retries++
      // Full jitter, so that a fleet does not come back at once.
      await this.#pause(retryAfter ?? Math.random() * FIRST_BACKOFF * 2 ** (attempt - 1))
    }
  }

  /** Waits, but not beyond the end of this exporter. */
  #pause(milliseconds: number): Promise<void> {
    const { signal } = this.#ended
    return new Promise(resolve => {
      const timer = this.#options.clock.setTimer(done, milliseconds)
      function done(): void {
        timer.cancel()
        signal.removeEventListener('abort', done)
        resolve()
      }
      signal.addEventListener('abort', done)
    })
  }
}

type Outcome =
  | { answer: Uint8Array }
  | { error: unknown; retryable: boolean; retryAfter?: number | undefined }

async function attemptPost(url: string, request: PostOptions): Promise<Outcome> {
  try {
    const { status, headers, body } = await post(url, request)
    if (status >= 200 && status < 300) return { answer: body }
    return {
      error: new MetricsExportError(`The collector answered ${status} to the metrics`, status),
      retryable: RETRYABLE.has(status),
      retryAfter: retryDelay(headers['retry-after']),
    }
  } catch (error) {
    return { error, retryable: true }
  }
}

/** `Retry-After` in milliseconds: seconds or a date. */
function retryDelay(header: string | undefined): number | undefined {
  if (header === undefined) return undefined
  const delay = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return Number.isNaN(delay) ? undefined : Math.max(0, delay)
}

function headersOf(list: string | undefined): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const pair of (list ?? '').split(',')) {
    const equals = pair.indexOf('=')
    if (equals > 0) {
      headers[pair.slice(0, equals).trim()] = decodeURIComponent(pair.slice(equals + 1).trim())
    }
  }
  return headers
}

function atLeast(
  option: string,
  least: number,
  given: number | undefined,
  env: string | undefined,
  otherwise: number,
): number {
  const value = given ?? (env ? Number(env) : otherwise)
  if (value >= least && value < Infinity) return value
  throw new InvalidOptionError(option, `at least ${least} milliseconds`, value)
}

function oneOf<T extends string>(
  option: string,
  choices: readonly [T, ...T[]],
  value: T | undefined,
): T {
  if (value === undefined) return choices[0]
  if (choices.includes(value)) return value
  throw new InvalidOptionError(option, `one of ${choices.join(', ')}`, value)
}
