import {
  counters,
  describeStats,
  type HttpAnswer,
  LONGEST_DELAY,
  type PartialSuccess,
  readPartialSuccess,
  retryAfter,
  setSystemTimer,
  type Timer,
  tell,
  textOf,
} from '@millrace/kit'
import { assembled } from '../bytes/assembled.ts'
import { ByteWriter } from '../bytes/byte-writer.ts'
import { gzipped } from '../bytes/gzip.ts'
import { ProtoWriter } from '../bytes/proto-writer.ts'
import { MetricsExportError } from '../errors.ts'
import { encodeOtlpJson } from '../otlp/json-encoding.ts'
import { MetricDataReader } from '../otlp/metric-data.ts'
import { encodeOtlpProtobuf } from '../otlp/protobuf-encoding.ts'
import { SDK_VERSION } from '../otlp/sdk-version.ts'
import type { Registry } from '../registry/registry.ts'
import { inSlices, type Pace, paceOf } from '../time/slices.ts'
import {
  type OtlpMetricExporterOptions,
  type ResolvedOptions,
  resolveExporter,
} from './exporter-options.ts'
import { type PostOptions, post } from './post.ts'

/** Statuses after which the specification has a client try again. */
const RETRYABLE = new Set([429, 502, 503, 504])
const TRIES = 5
const FIRST_BACKOFF = 1000
/** What zlib calls its default. */
const COMPRESSION_LEVEL = 6
/** Names exporter, language and version, as OTLP asks. */
const USER_AGENT = `Millrace-OTLP-Exporter-JavaScript/${SDK_VERSION}`

export interface OtlpMetricExporterStats {
  /** Exports that arrived. */
  readonly exports: number
  /** Exports given up. */
  readonly failures: number
  /** Further tries of exports. */
  readonly retries: number
  /** Data points that arrived. */
  readonly pointsSent: number
  /** Data points that the collector said it dropped. */
  readonly pointsRejected: number
  /** Bytes posted, after compression. */
  readonly bytes: number
}

/**
 * Pushes a registry to an OpenTelemetry collector over OTLP/HTTP, on an interval and at the end. Requests are written in
 * slices of half a millisecond; a series is consistent in itself, and two series may be read at different times.
 */
export class OtlpMetricExporter {
  readonly #registry: Registry
  readonly #options: ResolvedOptions
  readonly #reader: MetricDataReader
  readonly #pace: Pace
  readonly #stats = {
    exports: 0,
    failures: 0,
    retries: 0,
    pointsSent: 0,
    pointsRejected: 0,
    bytes: 0,
  }
  readonly #ended = new AbortController()
  #warned = false
  readonly #callbackFailed = (error: unknown): void => {
    if (this.#warned) return
    this.#warned = true
    process.emitWarning(`A callback of the exporter of metrics failed: ${textOf(error)}`, {
      code: 'MILLRACE_METRICS_CALLBACK',
    })
  }
  #closing: Promise<void> | undefined
  #timer: Timer | undefined
  /** The export under way: the specification forbids two at a time. */
  #running: Promise<void> | undefined

  constructor(registry: Registry, options: OtlpMetricExporterOptions = {}) {
    this.#registry = registry
    this.#options = resolveExporter(registry, options)
    this.#reader = new MetricDataReader(this.#options.temporality, this.#options.histograms)
    this.#pace = paceOf(this.#options.clock)
    this.#schedule()
  }

  /**
   * Exports now, after the export under way if there is one. Takes no longer than `timeout`, that wait included, and keeps the process alive meanwhile.
   * Rejects with a `MetricsExportError`, also once it was closed.
   */
  async export(): Promise<void> {
    if (this.#closing !== undefined) throw new MetricsExportError('The exporter is closed')
    await this.#exportInTurn(true)
  }

  /**
   * The time that an export may take begins here, so that those which wait for others do not take theirs as well.
   *
   * @param awaited whether somebody waits for it: then the process does, too
   */
  async #exportInTurn(awaited: boolean): Promise<void> {
    const { clock, timeout } = this.#options
    const late = new AbortController()
    const due = clock.now() + timeout
    const timer = clock.setTimer(
      () => late.abort(new MetricsExportError(`The export took longer than ${timeout} ms`)),
      timeout,
    )
    if (awaited) timer.ref?.()
    try {
      // Nothing is awaited between the last look and the export, so that no two begin at a time.
      while (this.#running !== undefined) await this.#over(this.#running, late.signal)
      this.#running = this.#send(late.signal, due).finally(() => {
        this.#running = undefined
      })
      await this.#running
    } catch (cause) {
      this.#stats.failures++
      const error =
        cause instanceof MetricsExportError
          ? cause
          : new MetricsExportError('The metrics could not be delivered', undefined, { cause })
      tell(this.#options.onError, error, this.#callbackFailed)
      throw error
    } finally {
      timer.cancel()
    }
  }

  /**
   * Resolves when an export is over, of whose failure its own caller is told.
   *
   * @throws the reason of `late`, once it is aborted
   */
  #over(running: Promise<void>, late: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        late.removeEventListener('abort', end)
        if (late.aborted) reject(late.reason)
        else resolve()
      }
      late.addEventListener('abort', end)
      running.then(end, end)
    })
  }

  stats(): OtlpMetricExporterStats {
    return { ...this.#stats }
  }

  /**
   * Stops the interval and exports a last time, after the export under way; a failure is reported, not thrown. Does not wait for a
   * collector that asks to come back later, and keeps the process alive meanwhile.
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#end())
  }

  async #end(): Promise<void> {
    this.#timer?.cancel()
    this.#ended.abort()
    const hold = setSystemTimer(() => {}, LONGEST_DELAY, true)
    // A failure has been counted and reported by then, and there is no later try.
    await this.#exportInTurn(true).catch(() => {})
    hold.cancel()
  }

  /** As {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #schedule(): void {
    this.#timer = this.#options.clock.setTimer(() => {
      // A failure has been reported already, and the next interval brings the next try.
      void this.#exportInTurn(false)
        .catch(() => {})
        .finally(() => {
          if (!this.#ended.signal.aborted) this.#schedule()
        })
    }, this.#options.interval)
  }

  /** @param due when the export must be over, by the exporter's clock */
  async #send(signal: AbortSignal, due: number): Promise<void> {
    const { temporality, histograms, resource } = this.#options
    const families = this.#registry.collect()
    // Not before: a reading leaves out what begins after its moment, as do the first series of workers and of what is observed.
    const moment = this.#registry.timeline.moment()
    const reading = this.#reader.read(families, moment)
    const context = { time: moment.date, temporality, histograms, resource }
    const json = this.#encoding === 'json'
    const out = json ? new ByteWriter() : new ProtoWriter()
    const steps = json
      ? encodeOtlpJson(reading.metrics, context, out)
      : encodeOtlpProtobuf(reading.metrics, context, out as ProtoWriter)
    await inSlices(steps, signal, this.#pace)
    if (reading.points === 0) return
    const told = await this.#post(await this.#body(out, signal), signal, due)
    reading.delivered = true
    const rejected = Math.min(told.rejected, reading.points)
    this.#stats.exports++
    this.#stats.pointsSent += reading.points - rejected
    this.#stats.pointsRejected += rejected
    if (rejected === 0 && told.message === '') return
    const partial = { rejected, message: told.message }
    tell(this.#options.onPartialSuccess, partial, this.#callbackFailed)
  }

  get #encoding(): 'protobuf' | 'json' {
    return this.#options.protocol === 'http/json' ? 'json' : 'protobuf'
  }

  #body(out: ByteWriter, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    return this.#options.compression === 'gzip'
      ? gzipped(out.chunks(), COMPRESSION_LEVEL, signal)
      : assembled(out, signal, this.#pace)
  }

  async #post(
    body: Uint8Array<ArrayBuffer>,
    signal: AbortSignal,
    due: number,
  ): Promise<PartialSuccess> {
    const { clock, compression, headers, url, maxRetryAfter } = this.#options
    const request = {
      body,
      signal,
      headers: {
        'user-agent': USER_AGENT,
        ...headers,
        'content-type': this.#encoding === 'json' ? 'application/json' : 'application/x-protobuf',
        ...(compression === 'gzip' ? { 'content-encoding': 'gzip' } : undefined),
      },
    }
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted()
      this.#stats.bytes += body.length
      const outcome = await attemptPost(url, request)
      if ('answer' in outcome)
        return readPartialSuccess(outcome.answer, this.#encoding, 'rejectedDataPoints')
      const { error, wanted, retryable } = outcome
      if (!retryable || attempt === TRIES || this.#ended.signal.aborted) throw error
      // Full jitter, so that a fleet does not come back at once.
      const wait = Math.max(wanted, Math.random() * FIRST_BACKOFF * 2 ** (attempt - 1))
      if (wanted > maxRetryAfter || clock.now() + wait >= due) throw error
      this.#stats.retries++
      await this.#pause(wait)
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
  | { answer: HttpAnswer }
  /** `wanted` is how long the collector asks to wait, in ms. */
  | { error: unknown; retryable: boolean; wanted: number }

async function attemptPost(url: string, request: PostOptions): Promise<Outcome> {
  try {
    const answer = await post(url, request)
    const { status, headers } = answer
    if (status >= 200 && status < 300) return { answer }
    return {
      error: new MetricsExportError(`The collector answered ${status} to the metrics`, status),
      retryable: RETRYABLE.has(status),
      wanted: retryAfter(headers) ?? 0,
    }
  } catch (error) {
    return { error, retryable: !request.signal.aborted, wanted: 0 }
  }
}

describeStats<OtlpMetricExporterStats>(OtlpMetricExporter.prototype, {
  ...counters('exports', 'failures', 'retries', 'pointsSent', 'pointsRejected', 'bytes'),
})
