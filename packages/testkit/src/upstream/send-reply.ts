import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Reply, UpstreamRequest } from './reply.ts'

/** Sends a reply as it says: late, in pieces, cut off, or never. */
export async function sendReply(
  reply: Reply,
  request: UpstreamRequest,
  response: ServerResponse,
): Promise<void> {
  const { latency = 0, chunkDelay = 0, beforePiece, resetAfter, fault } = reply
  if (latency > 0) await sleep(latency)
  if (fault === 'hang' || response.destroyed) return
  if (fault === 'reset') return reset(response)

  const fresh = reply.etag !== undefined && matches(request.headers['if-none-match'], reply.etag)
  const status = fresh ? 304 : (reply.status ?? 200)
  const bodiless = fresh || request.method === 'HEAD' || status === 204 || status === 304
  const body = encode(reply, status)
  for (const [name, value] of Object.entries(headersOf(reply, body, bodiless))) {
    if (value !== undefined) response.setHeader(name, value)
  }
  response.writeHead(status)
  if (bodiless && resetAfter === undefined) {
    response.end()
    return
  }
  response.flushHeaders()

  const size = reply.chunkSize ?? Math.max(1, body.length)
  const end = resetAfter === undefined ? body.length : Math.min(resetAfter, body.length)
  for (let offset = 0; offset < end; offset += size) {
    await beforePiece?.(offset)
    if (chunkDelay > 0) await sleep(chunkDelay)
    if (response.destroyed) return
    const piece = body.subarray(offset, Math.min(offset + size, end))
    await new Promise<void>(resolve => response.write(piece, () => resolve()))
  }
  if (resetAfter === undefined) response.end()
  else reset(response)
}

function reset(response: ServerResponse): void {
  const { socket } = response
  // Only a plain TCP socket can be reset; under TLS the client sees the connection close early.
  if (socket !== null && 'encrypted' in socket) socket.destroy()
  else socket?.resetAndDestroy()
}

function headersOf(
  { headers, etag, cacheControl, body: source }: Reply,
  body: Buffer,
  bodiless: boolean,
): OutgoingHttpHeaders {
  const json = typeof source === 'object' && !Buffer.isBuffer(source)
  return {
    'content-type': json ? 'application/json' : undefined,
    'content-length': bodiless ? undefined : body.length,
    etag: etag === undefined ? undefined : `"${etag}"`,
    'cache-control': cacheControl,
    ...headers,
  }
}

function encode({ body }: Reply, status: number): Buffer {
  if (body === undefined) return Buffer.from(`${status}`)
  if (Buffer.isBuffer(body)) return body
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}

/** RFC 9110 section 13.1.2: a list of tags or `*`, compared weakly. */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  return header
    .split(',')
    .map(tag => tag.trim().replace(/^W\//, ''))
    .some(tag => tag === '*' || tag === `"${etag}"`)
}
