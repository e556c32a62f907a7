import { Buffer } from 'node:buffer'
import type { ResponseHeaders } from '../handler.ts'
import { type ByteRange, byteRange } from './fields/byte-range.ts'
import type { CacheKey, CacheValue, StoredResponse } from './response-store.ts'

/** Beside the whole response to GET of the same URL, with which it is deleted. No request has such a method. */
const METHOD = 'GET (part)'

/** With the stored headers of a part: the `Range` that it was asked for by. No field of HTTP has such a name. */
const ASKED = ':range'

/** The one part that a 206 says it holds, and the length of the whole (RFC 9110 section 14.4). */
function contentRange(headers: ResponseHeaders): { start: number; length: number } | undefined {
  const field = headers['content-range']
  const [, start, end, length] =
    (typeof field === 'string' && /^bytes (\d+)-(\d+)\/(\d+)$/.exec(field)) || []
  if (start === undefined || Number(start) > Number(end) || Number(end) >= Number(length)) {
    return undefined
  }
  return { start: Number(start), length: Number(length) }
}

/** Whether a response is one part of a body, which can be kept for those who ask for it or for less. */
export function isPart(
  statusCode: number,
  asked: ResponseHeaders,
  headers: ResponseHeaders,
): boolean {
  return statusCode === 206 && asked.range !== undefined && contentRange(headers) !== undefined
}

export function partKey(key: CacheKey): CacheKey {
  return { ...key, method: METHOD }
}

/** A part as it is kept. */
export function partValue(key: CacheKey, value: CacheValue): CacheValue {
  const headers = { ...value.headers, [ASKED]: key.headers!.range! }
  return { ...value, statusCode: 206, headers }
}

/**
 * What a kept part has for a request: all of it if the same range was asked for, or the bytes within it (RFC 9111 section 3.3).
 * Parts are not put together: two may be of two bodies, unless both have the same strong validator (section 3.4).
 */
export function partFor(part: StoredResponse, { headers: asked }: CacheKey): StoredResponse {
  if (part === undefined) return undefined
  const { [ASKED]: range, ...headers } = part.headers
  const field = asked?.range
  const condition = asked?.['if-range']
  if (typeof field !== 'string') return undefined
  if (condition !== undefined && !isSameBody(String(condition), headers)) return undefined
  const bytes = Buffer.concat(chunks(part.body))
  if (field === range) {
    return { ...part, headers: { ...headers, 'content-length': String(bytes.length) } }
  }
  const held = contentRange(headers)
  const wanted = held && byteRange(field, held.length)
  if (!wanted) return undefined
  const [from, to] = [wanted.start - held.start, wanted.end - held.start]
  // By the bytes that are there: a body may be shorter than its head says.
  if (from < 0 || to > bytes.length) return undefined
  const described = { ...headers, ...rangeHeaders(wanted, held.length) }
  return { ...part, headers: described, body: [bytes.subarray(from, to)] }
}

/** What says which part of a body of `length` bytes a response is. */
export function rangeHeaders({ start, end }: ByteRange, length: number): Record<string, string> {
  return {
    'content-range': `bytes ${start}-${end - 1}/${length}`,
    'content-length': String(end - start),
  }
}

/** RFC 9110 section 13.1.5: a part is of use to those who have the rest of the very same body. */
export function isSameBody(ifRange: string, { etag }: ResponseHeaders): boolean {
  // A date has a grain of a second, in which a body may change.
  return ifRange.trim() === etag && ifRange.trim().startsWith('"')
}

/** Neither undici's memory store nor ours keeps streams. */
export function chunks(body: NonNullable<StoredResponse>['body']): readonly Buffer[] {
  if (body === undefined) return []
  return Buffer.isBuffer(body) ? [body] : (body as Buffer[])
}
