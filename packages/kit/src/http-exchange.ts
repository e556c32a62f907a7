import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'

/** What a server answered. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Empty where it was cut off, late or too long. */
  readonly body: Uint8Array
}

/** Bytes of a body that are taken: OTLP allows no larger response. */
const MAX_BODY = 4 * 1024 * 1024

/**
 * Sends a body in parts, together and without copying them, and resolves with the answer. The status is the answer: what fails, or is
 * destroyed, once it is there only costs the body. By events, as walking a response asynchronously takes twice as long.
 *
 * @throws (by rejection) what the request fails with before there is a status
 */
export function exchange(
  request: ClientRequest,
  parts: readonly Uint8Array[],
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    request.on('error', reject)
    request.once('response', response => {
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
    const body = complete ? Buffer.concat(parts) : new Uint8Array()
    resolve({ status: statusCode, headers, body })
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
