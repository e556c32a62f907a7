import { RedirectError } from '../errors.ts'
import type { ResponseHeaders } from '../handler.ts'
import { type ExchangeOptions, isReplayable } from './exchange-options.ts'
import { dropHeaders } from './header-list.ts'

/** What described a body that is no longer sent. */
const BODY_HEADERS = [
  'content-type',
  'content-length',
  'content-encoding',
  'content-language',
  'content-location',
]

export function isRedirect(statusCode: number): boolean {
  return (
    statusCode === 301 ||
    statusCode === 302 ||
    statusCode === 303 ||
    statusCode === 307 ||
    statusCode === 308
  )
}

/**
 * The request that follows a redirect, or why there must be none.
 *
 * @param credentials names in lower case of headers that stay behind with their origin
 */
export function redirectTarget(
  options: ExchangeOptions,
  statusCode: number,
  headers: ResponseHeaders,
  redirects: number,
  credentials: readonly string[],
): ExchangeOptions | RedirectError {
  const key = options.origin as string
  const { maxRedirects } = options.policy!
  if (redirects > maxRedirects) {
    return new RedirectError('limit', `More than ${maxRedirects} redirects`, key)
  }
  const { location } = headers
  // Of two, there is no telling which is meant; one of them may be injected.
  const url = typeof location === 'string' ? URL.parse(toUtf8(location), key + options.path) : null
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    return new RedirectError('location', `${key} redirects to no http or https URL`, key)
  }
  if (url.username !== '' || url.password !== '') {
    return new RedirectError('location', `${key} redirects to a URL with credentials`, key)
  }
  if (key.startsWith('https:') && url.protocol === 'http:') {
    return new RedirectError('downgrade', `${key} redirects from https to http`, key)
  }
  const becomesGet =
    (statusCode === 303 && options.method !== 'HEAD' && options.method !== 'GET') ||
    ((statusCode === 301 || statusCode === 302) && options.method === 'POST')
  if (!becomesGet && !isReplayable(options)) {
    return new RedirectError('body', `${key} redirects a body that cannot be sent twice`, key)
  }
  const dropped = [...(url.origin === key ? [] : credentials), ...(becomesGet ? BODY_HEADERS : [])]
  const next: ExchangeOptions = {
    ...options,
    goesOn: true,
    origin: url.origin,
    path: url.pathname + url.search,
    headers: dropped.length === 0 ? options.headers : dropHeaders(options.headers, dropped),
  }
  delete next.query
  if (becomesGet) {
    next.method = 'GET'
    next.body = null
    delete next.makeBody
    delete next.idempotent
  }
  if (next.makeBody !== undefined) next.body = next.makeBody()
  return next
}

/** Servers send UTF-8 where only ASCII is allowed, and undici reads each byte as a character (Fetch standard, "location URL"). */
function toUtf8(location: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
  if (/^[\x00-\x7f]*$/.test(location)) return location
  const text = Buffer.from(location, 'latin1').toString('utf8')
  return text.includes('\ufffd') ? location : text
}
