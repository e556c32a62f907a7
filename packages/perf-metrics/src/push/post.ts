import type { IncomingHttpHeaders } from 'node:http'

export interface PostOptions {
  readonly body: Uint8Array
  readonly headers: Readonly<Record<string, string>>
  /** Gives up the request. */
  readonly signal: AbortSignal
}

interface PostAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Empty where it was cut off, late or too long: the status is the answer. */
  readonly body: Uint8Array
}

/** OTLP allows no larger response. */
const MAX_RESPONSE = 4 * 1024 * 1024

/**
 * A POST through `node:http`, which most services have loaded already and which writes the body as it is; Node's fetch has to be loaded
 * and copies the body. Benchmark case: metrics "push, longest block".
 */
export async function post(
  url: string,
  { body, headers, signal }: PostOptions,
): Promise<PostAnswer> {
  const { request } = await (url.startsWith('https:') ? import('node:https') : import('node:http'))
  return new Promise((resolve, reject) => {
    const options = {
      method: 'POST',
      headers: { ...headers, 'content-length': body.length },
      signal,
    }
    const posting = request(url, options, response => {
      // From here on the status is the answer, also where the rest is late.
      posting.off('error', reject).on('error', () => {})
      const chunks: Uint8Array[] = []
      let size = 0
      const end = (): void => {
        const { statusCode = 0, headers, complete } = response
        const body = complete ? Buffer.concat(chunks) : new Uint8Array()
        resolve({ status: statusCode, headers, body })
      }
      response
        .on('data', (chunk: Uint8Array) => {
          size += chunk.length
          if (size <= MAX_RESPONSE) chunks.push(chunk)
          else response.destroy()
        })
        .on('error', end)
        .on('end', end)
        .on('close', end)
    })
    posting.on('error', reject).end(body)
  })
}
