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
  readonly body: Uint8Array
}

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
      const chunks: Buffer[] = []
      response
        .on('data', chunk => chunks.push(chunk))
        .on('error', reject)
        .on('end', () => {
          const { statusCode = 0, headers } = response
          resolve({ status: statusCode, headers, body: Buffer.concat(chunks) })
        })
    })
    posting.on('error', reject).end(body)
  })
}
