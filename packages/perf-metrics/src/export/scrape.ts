import type { Family } from '../instrument/family.ts'
import { ProtoWriter } from '../protobuf/proto-writer.ts'
import { ByteWriter } from './byte-writer.ts'
import { exposeNative, PROTOBUF_TYPE } from './native.ts'
import { negotiate } from './negotiate.ts'
import { exposeText } from './text.ts'

/** Milliseconds of work after which a scrape lets the event loop turn. */
const SLICE = 2

export interface ScrapeOptions {
  /** The client's `Accept` header, which decides the format. Default: Prometheus text 0.0.4. */
  accept?: string | undefined
  /** Ends the scrape between two slices. */
  signal?: AbortSignal
}

export interface Scrape {
  /** For the `Content-Type` header. */
  readonly contentType: string
  readonly body: Uint8Array<ArrayBuffer>
}

/**
 * An exposition written in slices of 2 ms, so that a large registry never holds up the event loop. A series is
 * consistent in itself; two series may be read at different times.
 *
 * @param expectedSize bytes to set aside: growing a buffer of megabytes would be a slice of its own
 */
export async function scrape(
  families: readonly Family[],
  { accept, signal }: ScrapeOptions,
  expectedSize: number,
): Promise<Scrape> {
  const format = negotiate(accept)
  if (format === 'protobuf') {
    const out = new ProtoWriter(expectedSize)
    await inSlices(exposeNative(families, out), signal)
    return { contentType: PROTOBUF_TYPE, body: out.finish() }
  }
  const out = new ByteWriter(expectedSize)
  await inSlices(exposeText(families, format, out), signal)
  return { contentType: format.contentType, body: out.view() as Uint8Array<ArrayBuffer> }
}

async function inSlices(steps: Iterable<void>, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  let end = performance.now() + SLICE
  for (const _ of steps) {
    if (performance.now() < end) continue
    await new Promise(resolve => setImmediate(resolve))
    signal?.throwIfAborted()
    end = performance.now() + SLICE
  }
}
