import { exchange, type HttpAnswer } from '@millrace/kit'

export interface PostOptions {
  readonly body: Uint8Array
  readonly headers: Readonly<Record<string, string>>
  /** Gives up the request. */
  readonly signal: AbortSignal
}

/**
 * A POST through `node:http`, which most services have loaded already and which writes the body as it is; Node's fetch has to be loaded
 * and copies the body. Benchmark case: metrics "push, longest block".
 */
export async function post(
  url: string,
  { body, headers, signal }: PostOptions,
): Promise<HttpAnswer> {
  const { request } = await (url.startsWith('https:') ? import('node:https') : import('node:http'))
  const sized = { ...headers, 'content-length': body.length }
  return exchange(request(url, { method: 'POST', headers: sized, signal }), [body])
}
