import { httpDate, parseList, type StructuredItem } from '@millrace/kit'
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

function draftQuota(headers: ResponseHeaders): ServerQuota | undefined {
  const policies = new Map(items(headers['ratelimit-policy']).map(each => [each.value, each]))
  let least: ServerQuota | undefined
  for (const { value, parameters } of items(headers.ratelimit)) {
    const remaining = integer(parameters.get('r'))
    const reset = integer(parameters.get('t'))
    if (remaining === undefined || reset === undefined) continue
    const policy = policies.get(value)?.parameters
    // A quota of bytes or of concurrent requests says nothing about the next request.
    if (policy?.has('qu') === true && policy.get('qu') !== 'requests') continue
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
  const now = (typeof date === 'string' ? httpDate(date) : undefined) ?? wallTime()
  return Math.max(0, (reset < EARLIEST_MILLISECONDS ? reset * 1000 : reset) - now)
}

/** None if any of the field is malformed. */
function items(value: string | string[] | undefined): StructuredItem[] {
  return parseList([value ?? []].flat().join(',')) ?? []
}

function integer(value: string | string[] | number | boolean | undefined): number | undefined {
  return /^\d{1,15}$/.test(String(value)) ? Number(value) : undefined
}
