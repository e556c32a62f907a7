import type { Exporter, ExporterStats } from '../export/exporter.ts'
import type { SpanRecord } from '../span/recorded/span-record.ts'
import { Tracer } from '../tracer/tracer.ts'
import type { TracerOptions } from '../tracer/tracer-options.ts'
import type { Encoder } from './encoding/encoder.ts'
import { type DecodedRequest, decodeJsonRequest, decodeRequest } from './otlp-messages.fixture.ts'
import { ProtobufEncoder } from './protobuf/protobuf-encoder.ts'

/** Encodes what it is given, with each of its encoders, and sends it nowhere. */
export class EncodingExporter implements Exporter {
  readonly #encoders: readonly Encoder[]
  #spans = 0

  constructor(...encoders: readonly Encoder[]) {
    this.#encoders = encoders
    for (const encoder of encoders) encoder.open({ 'service.name': 'test', nested: { a: [1] } })
  }

  write(span: SpanRecord): void {
    for (const encoder of this.#encoders) encoder.write(span)
    this.#spans++
  }

  /** One request per encoder with all spans since the last call. */
  take(): Buffer[] {
    return this.#encoders.map(encoder => Buffer.concat(encoder.frame([encoder.take()])))
  }

  /** The same, decoded by OTLP's own definitions. */
  takeDecoded(): DecodedRequest[] {
    return this.take().map((bytes, i) =>
      this.#encoders[i]!.contentType === 'application/json'
        ? decodeJsonRequest(bytes)
        : decodeRequest(bytes),
    )
  }

  send(): void {}

  async flush(): Promise<void> {}

  async close(): Promise<void> {}

  stats(): ExporterStats {
    return { exported: this.#spans, dropped: 0, queued: 0, queuedBytes: 0 }
  }
}

/** A tracer whose spans end up in one piece of bytes. */
export function encodingTracer(
  encoder: Encoder = new ProtobufEncoder(),
  options: TracerOptions = {},
): { tracer: Tracer; bytes(): Buffer } {
  const exporter = new EncodingExporter(encoder)
  const tracer = new Tracer({ exporter, signals: [], ...options })
  return {
    tracer,
    bytes() {
      tracer.flushSync()
      return exporter.take()[0]!
    },
  }
}
