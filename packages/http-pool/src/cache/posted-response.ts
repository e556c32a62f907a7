import type { ResponseHeaders } from '../handler.ts'
import type { ExchangeOptions } from '../request/exchange-options.ts'
import { cacheDirectives, directiveName } from './fields/cache-directives.ts'

/** Among the headers by which a cache looks for its response: the request is a POST, whose answer may be kept for GET. No field has such a name. */
export const POSTED = ':posted'

/** Whether the answer may be kept. What a request asks of a cache, or of a part, is asked of the answer to GET. */
export function mayKeepPosted(asked: Readonly<Record<string, unknown>>): boolean {
  return ['cache-control', 'pragma', 'range', 'host'].every(name => asked[name] === undefined)
}

/**
 * RFC 9110 section 9.3.3: the answer to a POST can be reused for GET where it says how long it is fresh, and by its
 * `Content-Location` that it is what the URL holds.
 */
export function answersGet(
  { origin, path }: ExchangeOptions,
  statusCode: number,
  headers: ResponseHeaders,
): boolean {
  const { 'content-location': location, 'cache-control': control, expires } = headers
  if (statusCode !== 200 || typeof location !== 'string') return false
  const url = URL.parse(path, String(origin))
  if (url === null || URL.parse(location, url.href)?.href !== url.href) return false
  const names = cacheDirectives(String(control ?? '')).map(directiveName)
  return expires !== undefined || names.includes('max-age') || names.includes('s-maxage')
}
