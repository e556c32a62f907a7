/** Compression, loaded when it is first wanted: importing it takes longer than all the rest of a scrape. */
export async function gzipped(
  body: Uint8Array<ArrayBuffer>,
  level: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const { gzip } = await import('node:zlib')
  return new Promise((resolve, reject) => {
    gzip(body, { level }, (error, zipped) => (error ? reject(error) : resolve(zipped)))
  })
}
