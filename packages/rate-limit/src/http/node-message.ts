import type { RequestFacts } from './http-limit.ts'

/** What is used of a request of node:http or node:http2, and of what frameworks make of them. */
export interface NodeRequestLike {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly socket: { readonly remoteAddress?: string | undefined }
}

/** What is used of a response of node:http or node:http2. */
export interface NodeResponseLike {
  statusCode: number
  readonly writableFinished: boolean
  getHeader(name: string): unknown
  setHeader(name: string, value: string): unknown
  once(event: 'close' | 'finish', listener: () => void): unknown
  end(body: string): unknown
}

/** What a limit needs to know of a request of Node's. */
export function factsOf(request: NodeRequestLike): RequestFacts {
  const forwarded = request.headers['x-forwarded-for']
  return {
    remoteAddress: request.socket.remoteAddress,
    // Several fields of one name are one list (RFC 9110, section 5.3).
    forwardedFor: Array.isArray(forwarded) ? forwarded.join(',') : forwarded,
  }
}

/** Tells the limit how an answer went, once it is sent or given up. */
export function settleAfter(
  response: NodeResponseLike,
  settle: ((status: number) => Promise<void>) | undefined,
): void {
  if (settle === undefined) return
  let finished = false
  // In HTTP/1 it is emitted for answers that were sent alone, also where there is no socket to ask, as for Fastify's `inject`.
  if (!('stream' in response)) response.once('finish', () => (finished = true))
  response.once('close', () => {
    const sent = finished || response.writableFinished
    // A refund that its store does not hear of stays spent, which errs on the side of the limit.
    settle(sent ? response.statusCode : 499).catch(() => {})
  })
}
