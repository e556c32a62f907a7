import { inSlices, type Pace } from '../time/slices.ts'
import type { ByteWriter } from './byte-writer.ts'

/** What was written, in one piece: without a copy where one chunk held it, and otherwise copied in slices. */
export async function assembled(
  out: ByteWriter,
  signal?: AbortSignal,
  pace?: Pace,
): Promise<Uint8Array<ArrayBuffer>> {
  if (out.whole) return out.finish()
  const body = Buffer.allocUnsafe(out.size)
  await inSlices(out.copySteps(body, 0), signal, pace)
  return body
}
