import { checkFunction, checkOptions, describeStats, heed } from '@millrace/kit'
import { StatusCode } from '../span/api/span.ts'
import type { SpanRecord } from '../span/recorded/span-record.ts'
import { EXPORTER_KINDS, type Exporter, type ExporterStats } from './exporter.ts'

const KINDS = ['internal', 'server', 'client', 'producer', 'consumer']

export interface ConsoleExporterOptions {
  /** Takes one line per span. Default: writes to standard output */
  readonly print?: ((line: string) => void) | undefined
}

/** Prints one line per ended span: for development. */
export class ConsoleExporter implements Exporter, AsyncDisposable {
  readonly #print: (line: string) => void
  #exported = 0

  constructor(options: ConsoleExporterOptions = {}) {
    const { print } = checkOptions('', options, { print: true })
    if (print !== undefined) checkFunction('print', print)
    this.#print = print ?? (line => process.stdout.write(`${line}\n`))
  }

  write(span: SpanRecord): void {
    const time = new Date(span.epoch + span.start).toISOString()
    const parts = [
      time,
      `${span.duration.toFixed(3)}ms`,
      span.name,
      `kind=${KINDS[span.kind]}`,
      `trace=${span.traceId}`,
      `span=${span.spanId}`,
    ]
    if (span.parentSpanId !== undefined) parts.push(`parent=${span.parentSpanId}`)
    if (span.status === StatusCode.ERROR) parts.push(`error=${span.details?.statusMessage ?? ''}`)
    const attributes = span.attributes.toObject()
    for (const key of Object.keys(attributes)) {
      parts.push(`${key}=${show(attributes[key])}`)
    }
    for (const event of span.details?.events ?? []) parts.push(`event=${event.name}`)
    heed(this.#print(parts.join(' ')))
    this.#exported++
  }

  send(): void {}

  async flush(): Promise<void> {}

  async close(): Promise<void> {}

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  stats(): ExporterStats {
    return { exported: this.#exported, dropped: 0, queued: 0, queuedBytes: 0 }
  }
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? String(item) : item))
}

describeStats<ExporterStats>(ConsoleExporter.prototype, EXPORTER_KINDS)
