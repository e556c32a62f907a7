import type { ResponseHeaders } from '../../handler.ts'
import type { StoredResponse } from '../response-store.ts'

/**
 * What a 304 must not change: what described the connection it came over, and what describes the stored
 * bytes (RFC 9111 section 3.2).
 */
const KEPT_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
])

/** The stored headers, with those of the 304 in place of their own. */
export function freshened(stored: ResponseHeaders, notModified: ResponseHeaders): ResponseHeaders {
  const headers: ResponseHeaders = { ...stored }
  for (const [name, value] of Object.entries(notModified)) {
    if (!KEPT_HEADERS.has(name)) headers[name] = value
  }
  // RFC 9110 section 6.6.1: a response without a date is as old as its arrival, not as the stored one.
  headers.date = notModified.date ?? new Date().toUTCString()
  return headers
}

/**
 * Whether a 304 is the answer to a validation of this stored response and says that it still holds.
 *
 * Not so if the request was made conditional for another one, if the 304 names another entity, and if it
 * says `Vary: *`, after which nothing tells for which requests the stored response is meant.
 */
export function correspond(
  request: ResponseHeaders,
  notModified: ResponseHeaders,
  stored: NonNullable<StoredResponse>,
): boolean {
  if (String(notModified.vary ?? '').includes('*')) return false
  const { etag } = stored
  if (etag !== undefined && request['if-none-match'] !== etag) return false
  return notModified.etag === undefined || isSameEntity(notModified.etag, etag)
}

/** RFC 9111 section 4.3.4: a strong validator has to be the stored one; a weak one may differ in its strength. */
function isSameEntity(received: ResponseHeaders[string], stored: string | undefined): boolean {
  if (typeof received !== 'string' || stored === undefined) return false
  if (!received.startsWith('W/')) return received === stored
  return received.slice(2) === stored.replace(/^W\//, '')
}
