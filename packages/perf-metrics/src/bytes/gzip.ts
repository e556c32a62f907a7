/** Bytes of a piece that zlib hands over: with its 16 kB a large body comes in a hundred turns. */
const PIECE = 65_536

/**
 * What `chunks` hold together, compressed on another thread. zlib is loaded when it is first wanted: importing it takes
 * longer than all the rest of a scrape.
 *
 * @param signal ends the wait for it
 * @throws (by rejection) the reason of `signal`
 */
export async function gzipped(
  chunks: readonly Uint8Array<ArrayBuffer>[],
  level: number,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const { createGzip } = await import('node:zlib')
  const gzip = createGzip({ level, chunkSize: PIECE })
  const pieces: Buffer[] = []
  const ended = new Promise<void>((resolve, reject) => {
    gzip
      .on('data', piece => pieces.push(piece))
      .on('end', resolve)
      .on('error', reject)
  })
  const abort = (): void => void gzip.destroy(signal!.reason as Error)
  if (signal?.aborted === true) abort()
  signal?.addEventListener('abort', abort)
  try {
    for (const chunk of chunks) gzip.write(chunk)
    gzip.end()
    await ended
  } finally {
    signal?.removeEventListener('abort', abort)
  }
  return Buffer.concat(pieces)
}
