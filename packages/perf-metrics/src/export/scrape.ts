import { assembled } from '../bytes/assembled.ts'
import { ByteWriter } from '../bytes/byte-writer.ts'
import { ProtoWriter } from '../bytes/proto-writer.ts'
import type { Family } from '../instrument/family.ts'
import { inSlices, type Pace } from '../time/slices.ts'
import { exposeComposites } from './composite-text.ts'
import type { ExpositionFormat, TextFormat } from './exposition-format.ts'
import { exposeNative } from './native.ts'
import { exposeLines } from './text.ts'

export interface ScrapeOptions {
  /** The client's `Accept` header, which decides the format. Default: Prometheus text 0.0.4 */
  readonly accept?: string | undefined
  /** Ends the scrape between two slices. */
  readonly signal?: AbortSignal | undefined
}

export interface Scrape {
  /** For the `Content-Type` header. */
  readonly contentType: string
  readonly body: Uint8Array<ArrayBuffer>
}

/** Writes `families` in a text format, step by step. */
export function exposeText(
  families: readonly Family[],
  format: TextFormat,
  out: ByteWriter,
): Generator<void, void> {
  return format.kind === 'composite'
    ? exposeComposites(families, format, out)
    : exposeLines(families, format, out)
}

/**
 * An exposition written in slices of half a millisecond, so that a large registry never holds up the event loop. A series is
 * consistent in itself; two series may be read at different times.
 *
 * @param expectedSize bytes to set aside for it
 */
export async function scrape(
  families: readonly Family[],
  { signal }: ScrapeOptions,
  format: ExpositionFormat,
  expectedSize: number,
  pace?: Pace,
): Promise<Scrape> {
  const native = format.kind === 'protobuf'
  const out = native ? new ProtoWriter(expectedSize) : new ByteWriter(expectedSize)
  const steps = native
    ? exposeNative(families, format.escaping, out as ProtoWriter)
    : exposeText(families, format as TextFormat, out)
  await inSlices(steps, signal, pace)
  return {
    contentType: format.contentType,
    body: await assembled(out, signal, pace),
  }
}
