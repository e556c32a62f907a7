import {
  checkFunction,
  checkPositive,
  checkText,
  describeStats,
  monotonicClock,
  type OptionRules,
  required,
  resolveOptions,
  tell,
  withDefault,
} from '@millrace/kit'
import { EXPORTER_KINDS, type Exporter, type ExporterStats } from '../export/exporter.ts'
import type { Resource } from '../export/resource.ts'
import { SpanExportError } from '../export/span-export-error.ts'
import { warnOfLoss } from '../export/warn-of-loss.ts'
import type { SpanRecord } from '../span/recorded/span-record.ts'
import { type Chunk, ChunkQueue } from './chunk-queue.ts'
import { DropEpisode } from './drop-episode.ts'
import { JsonEncoder } from './encoding/json-encoder.ts'

export interface FileExporterOptions {
  /** File that lines are appended to; made if it is missing. */
  readonly path: string
  /** Bytes that may wait to be written; what exceeds them is dropped and counted. Default: 8 MiB */
  readonly maxQueueBytes?: number | undefined
  /** Learns of spans that could not be written, and of those that a full queue dropped, together. Default: a process warning, the first time */
  readonly onError?: ((error: SpanExportError) => void) | undefined
}

const OPTIONS: OptionRules<FileExporterOptions> = {
  path: required(checkText),
  maxQueueBytes: withDefault(8 * 1024 * 1024, checkPositive),
  onError: (option, given = warnOfLoss()) =>
    checkFunction(option, given as (error: SpanExportError) => void),
}

const LINE = 64 * 1024
const NEWLINE = Buffer.from('\n')

/**
 * Appends OTLP JSON, one request per line, as OpenTelemetry's file exporter specification has it: a collector's `otlpjsonfile`
 * receiver reads it. What waits when the process exits is written synchronously, so a crash loses little.
 */
export class FileExporter implements Exporter, AsyncDisposable {
  readonly #path: string
  readonly #encoder = new JsonEncoder()
  readonly #queue: ChunkQueue
  readonly #drops: DropEpisode
  readonly #onError: (error: SpanExportError) => void
  #pending = 0
  #inFlight = 0
  #writing: Promise<void> | null = null
  #exported = 0
  #lost = 0

  /** @throws InvalidOptionError for an option that is unknown or cannot work */
  constructor(options: FileExporterOptions) {
    const { path, maxQueueBytes, onError } = resolveOptions('', options, OPTIONS)
    this.#path = path
    this.#queue = new ChunkQueue(maxQueueBytes, Infinity, 'newest')
    this.#onError = onError
    this.#drops = new DropEpisode(this.#queue, monotonicClock, onError)
  }

  open(resource: Resource): void {
    this.#encoder.open(resource)
  }

  write(span: SpanRecord): void {
    this.#encoder.write(span)
    this.#pending++
    if (this.#encoder.size >= LINE) this.send()
  }

  send(): void {
    this.#seal()
    if (this.#writing !== null || this.#queue.spans === 0) return
    const chunks = this.#queue.take(LINE * 4)
    this.#drops.taken()
    this.#writing = this.#append(chunks).finally(() => {
      this.#writing = null
      this.#inFlight = 0
    })
  }

  async flush(): Promise<void> {
    this.send()
    while (this.#writing !== null) {
      await this.#writing
      this.send()
    }
    this.#drops.end()
  }

  async close(): Promise<void> {
    await this.flush()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  closeSync(): void {
    this.#seal()
    const chunks = this.#queue.take(Infinity)
    if (chunks.length === 0) return
    try {
      process
        .getBuiltinModule('node:fs')
        .appendFileSync(this.#path, Buffer.concat(chunks.map(chunk => chunk.bytes)))
      this.#exported += spansOf(chunks)
    } catch (error) {
      this.#fail(chunks, error)
    }
  }

  stats(): ExporterStats {
    return {
      exported: this.#exported,
      dropped: this.#lost + this.#queue.dropped,
      queued: this.#pending + this.#queue.spans + this.#inFlight,
      queuedBytes: this.#encoder.size + this.#queue.bytes,
    }
  }

  #seal(): void {
    if (this.#pending === 0) return
    const line = [...this.#encoder.frame([this.#encoder.take()]), NEWLINE]
    this.#queue.push({ bytes: Buffer.concat(line), spans: this.#pending })
    this.#pending = 0
    this.#drops.pushed()
  }

  async #append(chunks: readonly Chunk[]): Promise<void> {
    this.#inFlight = spansOf(chunks)
    try {
      // Imported here, so that programs which send spans elsewhere do not load it.
      const { appendFile } = await import('node:fs/promises')
      await appendFile(this.#path, Buffer.concat(chunks.map(chunk => chunk.bytes)))
      this.#exported += this.#inFlight
    } catch (error) {
      this.#fail(chunks, error)
    }
  }

  #fail(chunks: readonly Chunk[], cause: unknown): void {
    const spans = spansOf(chunks)
    this.#lost += spans
    tell(this.#onError, new SpanExportError('Could not write spans to the file', { spans, cause }))
  }
}

function spansOf(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.spans, 0)
}

describeStats<ExporterStats>(FileExporter.prototype, EXPORTER_KINDS)
