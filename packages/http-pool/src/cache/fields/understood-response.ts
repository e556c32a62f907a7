import type { ResponseHeaders } from '../../handler.ts'
import { cacheDirectives, directiveName } from './cache-directives.ts'
import { parseHttpDate } from './http-date.ts'
import { targetedControl } from './targeted-fields.ts'

/** Fields as they came, of a response that undici's cache is told of in other words; undefined where there was none. */
const RECEIVED: unique symbol = Symbol('received')

/** The status that a response came with, of one that undici's cache is told of by another. */
const STATUS: unique symbol = Symbol('status')

interface Marks {
  [RECEIVED]?: Received
  [STATUS]?: number
}

type Received = Readonly<Record<string, ResponseHeaders[string]>>

/** Statuses whose requirements for caching undici's cache meets. */
const UNDERSTOOD_STATUSES: readonly number[] = [
  200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501,
]

/**
 * The headers of a response as undici's cache is to understand them, with those it came with behind them:
 * - a targeted field in place of `Cache-Control` and `Expires` (RFC 9213), which undici does not know;
 * - no `no-store` beside `must-understand`, for a status that is understood (RFC 9111 section 5.2.2.3), which undici does not know;
 * - `public` beside it, for a private cache and a request with `Authorization`: undici has the rule for shared ones (section 3.5) hold
 *   for both;
 * - an `Expires` in one spelling: undici refuses other cases of letters, and a wrong day of the week;
 * - a `Vary` by the headers of the request that say for whom it is, which many servers leave out.
 *
 * A caller and a store get them by {@link asReceived}.
 *
 * @param identity headers of the request, in lower case, that it varies by whatever it says
 * @param isOwn the request has credentials, and the cache is one user's
 */
export function understood(
  statusCode: number,
  headers: ResponseHeaders,
  targets: readonly string[],
  identity: readonly string[],
  isOwn: boolean,
): ResponseHeaders {
  const fields = {
    ...lifetime(statusCode, headers, targets, isOwn),
    ...(identity.length === 0
      ? undefined
      : { vary: [headers.vary ?? [], identity].flat(2).join(', ') }),
  }
  return Object.keys(fields).length === 0 ? headers : withFields(headers, fields)
}

/** The fields that say how long it is fresh, where they are to be put in other words. */
function lifetime(
  statusCode: number,
  headers: ResponseHeaders,
  targets: readonly string[],
  isOwn: boolean,
): Received | undefined {
  const { expires } = headers
  const control = targetedControl(headers, targets)
  if (control !== undefined) return { 'cache-control': control, expires: undefined }
  const given = withoutMustUnderstand(statusCode, headers['cache-control'])
  const saysWhen = given !== undefined || expires !== undefined
  const plain = isOwn && saysWhen ? [given ?? [], 'public'].flat().join(', ') : given
  const date = typeof expires === 'string' ? parseHttpDate(expires) : undefined
  const spelled = date === undefined ? expires : new Date(date).toUTCString()
  if (plain === headers['cache-control'] && spelled === expires) return undefined
  return { 'cache-control': plain, expires: spelled }
}

/** A response that undici's cache is not to keep, whatever it says. */
export function unkept(headers: ResponseHeaders): ResponseHeaders {
  return withFields(headers, { 'cache-control': 'no-store' })
}

/** A part of a body, as undici's cache is told of it: as a whole, as it refuses parts. */
export function asWhole(statusCode: number, headers: ResponseHeaders): ResponseHeaders {
  return Object.assign({ ...headers }, { [STATUS]: statusCode })
}

/** The headers as they came, of a response that undici's cache was told of in other words. */
export function asReceived(headers: ResponseHeaders): ResponseHeaders {
  const { [RECEIVED]: received, [STATUS]: status } = headers as Marks
  if (received === undefined && status === undefined) return headers
  const copy = assign({ ...headers }, received ?? {})
  delete (copy as Marks)[RECEIVED]
  delete (copy as Marks)[STATUS]
  return copy
}

/** The status that it came with. */
export function receivedStatus(told: number, headers: object | undefined): number {
  return (headers as Marks | undefined)?.[STATUS] ?? told
}

function withFields(headers: ResponseHeaders, fields: Received): ResponseHeaders {
  const received: Record<string, ResponseHeaders[string]> = {}
  for (const name of Object.keys(fields)) received[name] = headers[name]
  Object.assign(received, (headers as Marks)[RECEIVED])
  // A symbol stays with the copies that undici makes, and is in no list of names.
  return Object.assign(assign({ ...headers }, fields), { [RECEIVED]: received })
}

function assign(headers: ResponseHeaders, fields: Received): ResponseHeaders {
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) delete headers[name]
    else headers[name] = value
  }
  return headers
}

function withoutMustUnderstand(
  statusCode: number,
  control: ResponseHeaders[string],
): ResponseHeaders[string] {
  if (control === undefined || !UNDERSTOOD_STATUSES.includes(statusCode)) return control
  const directives = cacheDirectives(String(control))
  if (!directives.some(each => directiveName(each) === 'must-understand')) return control
  return directives.filter(each => directiveName(each) !== 'no-store').join(', ')
}
