import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'

/** What a server answered. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** As it was before any compression. Empty where it was cut off, late, too long or compressed in a way that cannot be read. */
  readonly body: Uint8Array
}

/** Bytes of a body that are taken: OTLP allows no larger response. */
const MAX_BODY = 4 * 1024 * 1024
const NOTHING = new Uint8Array()

/**
 * Sends a body in parts, together and without copying them, and resolves with the answer. The status is the answer: what fails, or is
 * destroyed, once it is there only costs the body. By events, as walking a response asynchronously takes twice as long.
 *
 * @throws (by rejection) what the request fails with, or that it was closed, before there is a status
 */
export function exchange(
  request: ClientRequest,
  parts: readonly Uint8Array[],
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    request.on('error', reject)
    // Without an error where the server answers with an upgrade that nobody asked for: Node ends the connection, and that is all.
    const closed = (): void => reject(new Error('The connection was closed without an answer'))
    request.once('close', closed)
    request.once('response', response => {
      request.off('close', closed)
      request.off('error', reject).on('error', () => {})
      read(response, resolve)
    })
    request.cork()
    for (const part of parts) request.write(part)
    request.end()
  })
}

function read(response: IncomingMessage, resolve: (answer: HttpAnswer) => void): void {
  const parts: Uint8Array[] = []
  let size = 0
  const end = (): void => {
    const { statusCode = 0, headers, complete } = response
    const body = complete ? Buffer.concat(parts) : NOTHING
    const answer = { status: statusCode, headers, body }
    if (body.length > 0 && headers['content-encoding'] !== undefined)
      void decode(answer).then(resolve)
    else resolve(answer)
  }
  response
    .on('data', (part: Uint8Array) => {
      size += part.length
      if (size <= MAX_BODY) parts.push(part)
      else response.destroy()
    })
    .on('error', end)
    .on('end', end)
    .on('close', end)
}

/** No request asks for a compressed body, but a server is free to send one. zlib is loaded with the first of them. */
async function decode(answer: HttpAnswer): Promise<HttpAnswer> {
  const encoding = answer.headers['content-encoding']!.trim().toLowerCase()
  if (encoding === 'identity') return answer
  const { unzip, brotliDecompress } = await import('node:zlib')
  const options = { maxOutputLength: MAX_BODY }
  return new Promise(resolve => {
    const done = (error: Error | null, body: Uint8Array): void => {
      resolve({ ...answer, body: error === null ? body : NOTHING })
    }
    if (encoding === 'br') brotliDecompress(answer.body, options, done)
    else if (/^(?:(?:x-)?gzip|deflate)$/.test(encoding)) unzip(answer.body, options, done)
    else done(null, NOTHING)
  })
}
