import type { ResponseHeaders } from '../handler.ts'

/** What a server says of its own limit. */
export interface ServerQuota {
  /** Requests left. */
  readonly remaining: number
  /** In ms, until there are `limit` again. */
  readonly reset: number
  /** Requests per window, if it says so. */
  readonly limit: number | undefined
}

/**
 * Reads `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers), of several policies the
 * one with least left; else `RateLimit-Remaining`/`-Reset` and `X-RateLimit-Remaining`/`-Reset` of older
 * drafts and custom. What is malformed is ignored, as the draft demands. A time of day is measured against the response's own
 * `Date`, so the two clocks need not agree.
 */
export function serverQuota(
  headers: ResponseHeaders,
  wallTime: () => number = Date.now,
): ServerQuota | undefined {
  return draftQuota(headers) ?? olderQuota(headers, wallTime)
}

interface Item {
  readonly name: string
  readonly parameters: ReadonlyMap<string, string>
}

function draftQuota(headers: ResponseHeaders): ServerQuota | undefined {
  const policies = new Map(items(headers['ratelimit-policy']).map(each => [each.name, each]))
  let least: ServerQuota | undefined
  for (const { name, parameters } of items(headers.ratelimit)) {
    const remaining = integer(parameters.get('r'))
    const reset = integer(parameters.get('t'))
    if (remaining === undefined || reset === undefined) continue
    const policy = policies.get(name)?.parameters
    // A quota of bytes or of concurrent requests says nothing about the next request.
    if (policy?.has('qu') === true && policy.get('qu') !== '"requests"') continue
    if (least !== undefined && least.remaining <= remaining) continue
    least = { remaining, reset: reset * 1000, limit: integer(policy?.get('q')) }
  }
  return least
}

function olderQuota(headers: ResponseHeaders, wallTime: () => number): ServerQuota | undefined {
  for (const prefix of ['ratelimit', 'x-ratelimit']) {
    const remaining = integer(headers[`${prefix}-remaining`])
    const reset = integer(headers[`${prefix}-reset`])
    if (remaining === undefined || reset === undefined) continue
    return {
      remaining,
      reset: untilReset(reset, headers.date, wallTime),
      limit: integer(headers[`${prefix}-limit`]),
    }
  }
  return undefined
}

/** Some servers send seconds or ms since 1970 where others send seconds from now, and a wait of decades is not meant. */
const EARLIEST_SECONDS = 1_000_000_000
const EARLIEST_MILLISECONDS = 1000 * EARLIEST_SECONDS

/** In ms from now. */
function untilReset(
  reset: number,
  date: string | string[] | undefined,
  wallTime: () => number,
): number {
  if (reset < EARLIEST_SECONDS) return reset * 1000
  const sent = typeof date === 'string' ? Date.parse(date) : Number.NaN
  const now = Number.isNaN(sent) ? wallTime() : sent
  return Math.max(0, (reset < EARLIEST_MILLISECONDS ? reset * 1000 : reset) - now)
}

/** A list of strings or tokens with parameters, as RFC 9651 writes it; quoted commas are not used here. */
function items(value: string | string[] | undefined): Item[] {
  if (value === undefined) return []
  const list: Item[] = []
  for (const member of (Array.isArray(value) ? value.join(',') : value).split(',')) {
    const [name, ...rest] = member.split(';').map(part => part.trim())
    if (name === undefined || name === '') continue
    const parameters = new Map<string, string>()
    for (const parameter of rest) {
      const separator = parameter.indexOf('=')
      if (separator > 0)
        parameters.set(parameter.slice(0, separator), parameter.slice(separator + 1))
    }
    list.push({ name, parameters })
  }
  return list
}

function integer(value: string | string[] | undefined): number | undefined {
  return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : undefined
}
