import { describeStats, LONGEST_DELAY, readPartialSuccess, type Timer, tell } from '@millrace/kit'
import { EXPORTER_KINDS, type Exporter, type ExporterStats } from '../export/exporter.ts'
import type { Resource } from '../export/resource.ts'
import { SpanExportError } from '../export/span-export-error.ts'
import type { SpanRecord } from '../span/recorded/span-record.ts'
import { type Chunk, ChunkQueue } from './chunk-queue.ts'
import { DropEpisode } from './drop-episode.ts'
import type { Encoder } from './encoding/encoder.ts'
import { JsonEncoder } from './encoding/json-encoder.ts'
import { type Answer, byteLength, HttpTransport } from './http-transport.ts'
import { type OtlpSettings, type OtlpTraceExporterOptions, resolveOtlp } from './otlp-options.ts'
import { ProtobufEncoder } from './protobuf/protobuf-encoder.ts'

/** Spans are cut into pieces of this many bytes, so that a full queue drops little at a time. */
const CHUNK = 128 * 1024
/** First wait between attempts during a flush, in milliseconds; doubled as the others are. */
const FLUSH_RETRY = 100
/** The statuses that OTLP/HTTP calls retryable. */
const RETRYABLE = new Set([429, 502, 503, 504])

/**
 * Sends spans to an OpenTelemetry collector: OTLP over HTTP, protobuf or JSON.
 *
 * Spans are encoded as they come and wait as bytes in a bounded queue. One request is in flight at a time. A request that fails
 * for a passing reason is retried with exponential backoff (or after `Retry-After`, up to `maxRetryAfter`) until the `timeout` of `retry`; meanwhile the queue
 * fills and then drops by policy. Every span is counted exactly once as exported, dropped or queued.
 */
export class OtlpTraceExporter implements Exporter, AsyncDisposable {
  readonly #encoding: 'json' | 'protobuf'
  readonly #encoder: Encoder
  readonly #queue: ChunkQueue
  readonly #drops: DropEpisode
  readonly #transport: HttpTransport
  readonly #settings: OtlpSettings
  /** Spans in the encoder. */
  #pending = 0
  /** Spans and bytes of the request under way. */
  #inFlight: { spans: number; bytes: number } = { spans: 0, bytes: 0 }
  #sending: Promise<void> | null = null
  /** Ends the wait between two attempts; the second one only where the collector did not ask for the wait. */
  #endBackoff: (() => void) | null = null
  #cutBackoffShort: (() => void) | null = null
  #closed = false
  #flushing = 0
  #exported = 0
  #refused = 0

  /** @throws InvalidOptionError */
  constructor(options: OtlpTraceExporterOptions = {}) {
    const settings = resolveOtlp(options)
    const { maxQueueBytes, maxQueueSpans, dropPolicy, clock, onError } = settings
    this.#settings = settings
    this.#encoding = settings.protocol === 'http/json' ? 'json' : 'protobuf'
    this.#encoder = this.#encoding === 'json' ? new JsonEncoder() : new ProtobufEncoder()
    this.#queue = new ChunkQueue(maxQueueBytes, maxQueueSpans, dropPolicy)
    this.#transport = new HttpTransport(
      settings.url,
      settings.headers,
      settings.compression === 'gzip',
    )
    this.#drops = new DropEpisode(this.#queue, clock, onError)
  }

  open(resource: Resource): void {
    this.#encoder.open(resource)
  }

  write(span: SpanRecord): void {
    this.#encoder.write(span)
    this.#pending++
    if (this.#encoder.size < CHUNK) return
    this.#seal()
    if (this.#queue.bytes >= this.#settings.maxRequestBytes) this.#pump()
  }

  send(): void {
    this.#seal()
    this.#pump()
  }

  /** Sends what was written. Resolves after `retry.timeout` at the latest, while requests under way go on. */
  async flush(): Promise<void> {
    const deadline = this.#settings.clock.now() + this.#settings.retry.timeout
    this.#flushing++
    this.#cutBackoffShort?.()
    try {
      this.send()
      while (this.#sending !== null && this.#settings.clock.now() < deadline) {
        await this.#before(deadline, this.#sending)
        this.#pump()
      }
    } finally {
      this.#flushing--
      this.#drops.end()
    }
  }

  /** Flushes; what could not be sent within `retry.timeout` is dropped. */
  async close(): Promise<void> {
    // Waits between retries do not hold the process: who awaits this would never hear of its end.
    const hold = setInterval(() => {}, LONGEST_DELAY)
    try {
      await this.flush()
      this.#closed = true
      this.#transport.close()
      this.#endBackoff?.()
      await this.#sending
      this.#abandon(this.#queue.clear())
    } finally {
      clearInterval(hold)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Nothing can be sent synchronously: what waits, and the request under way, no longer keeps the process. */
  closeSync(): void {
    this.#seal()
    this.#transport.detach()
  }

  stats(): ExporterStats {
    return {
      exported: this.#exported,
      dropped: this.#refused + this.#queue.dropped,
      queued: this.#pending + this.#queue.spans + this.#inFlight.spans,
      queuedBytes: this.#encoder.size + this.#queue.bytes + this.#inFlight.bytes,
    }
  }

  #seal(): void {
    if (this.#pending === 0) return
    this.#queue.push({ bytes: this.#encoder.take(), spans: this.#pending })
    this.#pending = 0
    this.#drops.pushed()
  }

  /** Counts spans that the queue still holds when the exporter is closed. */
  #abandon(spans: number): void {
    this.#refused += spans
    if (spans === 0) return
    tell(
      this.#settings.onError,
      new SpanExportError('Closed before the collector took them', { spans }),
    )
  }

  /** Starts a request unless one is under way: exports of one exporter are never concurrent. */
  #pump(): void {
    if (this.#closed || this.#sending !== null || this.#queue.spans === 0) return
    const chunks = this.#queue.take(this.#settings.maxRequestBytes)
    this.#drops.taken()
    this.#sending = this.#deliver(chunks).finally(() => {
      this.#sending = null
      this.#inFlight = { spans: 0, bytes: 0 }
      if (this.#queue.bytes >= this.#settings.maxRequestBytes) this.#pump()
    })
  }

  async #deliver(chunks: readonly Chunk[]): Promise<void> {
    const body = this.#encoder.frame(chunks.map(chunk => chunk.bytes))
    const spans = chunks.reduce((sum, chunk) => sum + chunk.spans, 0)
    this.#inFlight = { spans, bytes: byteLength(body) }
    const deadline = this.#settings.clock.now() + this.#settings.retry.timeout
    const { baseDelay, maxDelay, maxRetryAfter } = this.#settings.retry
    for (let attempt = 0; ; attempt++) {
      const outcome = await this.#attempt(body, deadline - this.#settings.clock.now())
      if (isSuccess(outcome)) {
        this.#accepted(outcome.answer, spans)
        // Where the collector answered before it had read everything, the socket may still hold the bytes.
        if (outcome.answer.sent) for (const { bytes } of chunks) this.#encoder.giveBack?.(bytes)
        return
      }
      const asked = outcome.answer?.retryAfter ?? 0
      const delay = Math.min(baseDelay * 2 ** attempt, maxDelay)
      const backoff = delay * (0.8 + 0.4 * Math.random())
      if (
        this.#closed ||
        !outcome.retryable ||
        asked > maxRetryAfter ||
        this.#settings.clock.now() + Math.max(asked, backoff) >= deadline
      ) {
        this.#giveUp(outcome, spans)
        return
      }
      const shortened = Math.min(backoff, FLUSH_RETRY * 2 ** attempt)
      await this.#backOff(Math.max(asked, this.#flushing > 0 ? shortened : backoff), asked > 0)
    }
  }

  async #attempt(body: readonly Uint8Array[], rest: number): Promise<Outcome> {
    const timeout = Math.min(this.#settings.timeout, rest)
    try {
      const answer = await this.#transport.post(body, this.#encoder.contentType, timeout)
      return { answer, retryable: RETRYABLE.has(answer.status) }
    } catch (error) {
      // Not lost: it becomes the cause of the SpanExportError where the request is given up. A retry that succeeds makes up for it.
      return { error, retryable: true }
    }
  }

  #accepted(answer: Answer, spans: number): void {
    const { rejected, message } = readPartialSuccess(answer, this.#encoding, 'rejectedSpans')
    const lost = Math.min(rejected, spans)
    this.#exported += spans - lost
    this.#refused += lost
    if (lost === 0 && message === '') return
    const what = lost > 0 ? 'Collector refused spans' : 'Collector warns'
    const error = new SpanExportError(`${what}: ${message}`, {
      status: answer.status,
      spans: lost,
    })
    tell(this.#settings.onError, error)
  }

  #giveUp({ answer, error }: Outcome, spans: number): void {
    this.#refused += spans
    if (answer === undefined) {
      tell(
        this.#settings.onError,
        new SpanExportError('No answer from the collector', { spans, cause: error }),
      )
      return
    }
    const { status, retryAfter } = answer
    const asks = retryAfter === undefined ? '' : ` and asks to wait ${retryAfter} ms`
    tell(
      this.#settings.onError,
      new SpanExportError(`Collector answered ${status}${asks}`, { status, spans }),
    )
  }

  /** Waits; a flush that begins meanwhile ends it, unless the collector asked for the wait. */
  #backOff(delay: number, asked: boolean): Promise<void> {
    return new Promise(resolve => {
      const end = (): void => {
        this.#endBackoff = null
        this.#cutBackoffShort = null
        timer.cancel()
        resolve()
      }
      const timer = this.#settings.clock.setTimer(end, delay)
      this.#endBackoff = end
      if (!asked) this.#cutBackoffShort = end
    })
  }

  /** Resolves when `work` does, at the deadline at the latest. */
  async #before(deadline: number, work: Promise<void>): Promise<void> {
    let timer: Timer | undefined
    const late = new Promise<void>(resolve => {
      timer = this.#settings.clock.setTimer(resolve, deadline - this.#settings.clock.now())
    })
    await Promise.race([work, late])
    timer?.cancel()
  }
}

interface Outcome {
  answer?: Answer
  error?: unknown
  retryable: boolean
}

/** OTLP names 200; proxies and gateways in front of collectors answer 202 and 204 as well. */
function isSuccess(outcome: Outcome): outcome is Outcome & { answer: Answer } {
  const { answer } = outcome
  return answer !== undefined && answer.status >= 200 && answer.status < 300
}

describeStats<ExporterStats>(OtlpTraceExporter.prototype, EXPORTER_KINDS)
