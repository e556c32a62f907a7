import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gunzip, zstdDecompress } from 'node:zlib'
import xz from 'xz-decompress'

/** Reads a file and undoes the compression that its extension names: `.zst`, `.xz`, `.gz`, or none. */
export async function readDecompressed(file: string): Promise<Buffer> {
  const bytes = await readFile(file)
  if (file.endsWith('.zst')) return promisify(zstdDecompress)(bytes)
  if (file.endsWith('.gz')) return promisify(gunzip)(bytes)
  if (!file.endsWith('.xz')) return bytes
  const source = new Response(bytes).body as ReadableStream<Uint8Array>
  return Buffer.from(await new Response(new xz.XzReadableStream(source)).arrayBuffer())
}
