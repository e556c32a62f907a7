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
  // A refund that its store does not hear of stays spent, which errs on the side of the limit.
  const settled = (status: number) => void settle(status).catch(() => {})
  // Its client has left while the limit was asked.
  if (isClosed(response)) {
    settled(NEVER_SENT)
    return
  }
  let finished = false
  // In HTTP/1 it is emitted for answers that were sent alone, also where there is no socket to ask, as for Fastify's `inject`.
  if (!('stream' in response)) response.once('finish', () => (finished = true))
  response.once('close', () => {
    settled(finished || wasSent(response) ? statusOf(response) : NEVER_SENT)
  })
}

/** What servers log for an answer that its client did not wait for, or whose body broke off. */
const NEVER_SENT = 499

/** What is used of a stream of HTTP/2, by which an answer may be sent beside its response, and which may be reset. */
interface Stream {
  readonly closed?: boolean
  readonly rstCode?: number
  readonly sentHeaders?: Readonly<Record<string, unknown>>
}

function streamOf(response: NodeResponseLike): Stream | undefined {
  return (response as { stream?: Stream }).stream
}

function wasSent(response: NodeResponseLike): boolean {
  return response.writableFinished && (streamOf(response)?.rstCode ?? 0) === 0
}

function statusOf(response: NodeResponseLike): number {
  const sent = streamOf(response)?.sentHeaders?.[':status']
  return sent === undefined ? response.statusCode : Number(sent)
}

function isClosed(response: NodeResponseLike): boolean {
  return (response as { closed?: boolean }).closed === true || streamOf(response)?.closed === true
}
