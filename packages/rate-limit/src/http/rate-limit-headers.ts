import {
  type BareItem,
  checkAtLeast,
  checkNonNegative,
  InvalidOptionError,
  parseList,
  retryAfter as readRetryAfter,
  serializeString,
} from '@millrace/kit'
import type { Decision } from '../limiter/rate-limiter.ts'
import type { LimiterBounds } from './keyed-decider.ts'

/** What a limit promises to its clients. */
export interface RateLimitPolicy {
  /** Tells one limit of a server from another. What is no printable ASCII is percent-encoded. */
  readonly name: string
  /** The most that can pass in a window. */
  readonly quota: number
  /** In ms; undefined if there is no fixed window. */
  readonly window?: number | undefined
}

/** What a server has said about one of its limits. Times in ms. */
export interface ServerLimit {
  readonly name: string
  readonly remaining?: number | undefined
  readonly resetAfter?: number | undefined
  readonly quota?: number | undefined
  readonly window?: number | undefined
  /** What it counts, such as `'content-bytes'`; undefined for requests. */
  readonly unit?: string | undefined
}

/** What a response says about limits. */
export interface ServerLimits {
  readonly limits: readonly ServerLimit[]
  /** In ms from now; takes precedence over the limits. */
  readonly retryAfter?: number | undefined
  /** Whether the response comes from a cache (it has an `Age`), so that its limits may be past. */
  readonly stored: boolean
}

/** A response's headers: those of `fetch`, or an object as node:http and undici have. */
export type HeadersLike =
  | { get(name: string): string | null | undefined }
  | Readonly<Record<string, string | readonly string[] | undefined>>

/**
 * The headers of a response, by draft-ietf-httpapi-ratelimit-headers: `RateLimit-Policy`, `RateLimit`, and `Retry-After`
 * where the request was refused: `t` then names the same time, as the draft asks, and where nothing is left the time until the next
 * request could pass, or clients would wait until a limit is whole of which some comes back sooner. Times are whole seconds, rounded up,
 * so that a client that comes then passes; but `t` below half a second is 0, or clients of a fast limit would pause for most of its tokens.
 *
 * @throws {InvalidOptionError} for what is no decision or no policy, of which clients would read nonsense
 */
export function rateLimitHeaders(
  decision: Decision,
  policy: RateLimitPolicy,
): Record<string, string> {
  checkNumbers('decision', decision, ['remaining', 'resetAfter', 'retryAfter'])
  checkNumbers('policy', policy, ['quota'])
  const { allowed, remaining, resetAfter, retryAfter, nextAfter } = decision
  const { name, quota, window } = policy
  if (typeof name !== 'string') throw new InvalidOptionError('policy.name', 'a string', name)
  if (window !== undefined) checkNonNegative('policy.window', window)
  const refused = !allowed && retryAfter < Infinity
  const label = serializeString(policyLabel(name))
  const more = remaining < 1 ? (nextAfter ?? resetAfter) : resetAfter
  const headers: Record<string, string> = {
    'RateLimit-Policy': `${label};q=${Math.floor(quota)}${window === undefined ? '' : `;w=${seconds(window)}`}`,
    RateLimit: `${label};r=${Math.floor(remaining)};t=${wholeSeconds(refused ? retryAfter : more)}`,
  }
  if (refused) headers['Retry-After'] = `${seconds(retryAfter)}`
  return headers
}

/** An object whose fields of these names are numbers. */
function checkNumbers<T>(option: string, value: T, names: readonly (keyof T & string)[]): void {
  if (typeof value !== 'object' || value === null) {
    throw new InvalidOptionError(option, 'an object', value)
  }
  for (const name of names) {
    const number = value[name]
    if (typeof number === 'number' && !Number.isNaN(number)) continue
    throw new InvalidOptionError(`${option}.${name}`, 'a number', number)
  }
}

/** A policy's name as fields can hold it: those of other characters than printable ASCII in UTF-8, percent-encoded. */
export function policyLabel(name: string): string {
  if (/^[\x20-\x7e]*$/.test(name)) return name
  return name.toWellFormed().replace(/%|[^\x20-\x7e]+/g, part => encodeURIComponent(part))
}

/**
 * Reads what a server says about its limits: `RateLimit` and `RateLimit-Policy`, else the older `X-RateLimit-*`, and
 * `Retry-After`. A malformed field counts as missing.
 *
 * @param now the client's clock in ms since 1970, for dates without a `Date` header to compare them with
 * @throws {InvalidOptionError} for headers or a time that are none
 */
export function parseRateLimitHeaders(
  headers: HeadersLike,
  now: number = Date.now(),
): ServerLimits {
  if (typeof headers !== 'object' || headers === null) {
    throw new InvalidOptionError('headers', 'a Headers or an object', headers)
  }
  checkAtLeast('now', now, 0)
  const get = reader(headers)
  const limits = new Map<string, ServerLimit>()
  for (const { value, parameters } of parseList(get('ratelimit-policy') ?? '') ?? []) {
    const quota = count(parameters.get('q'))
    if (typeof value !== 'string' || quota === undefined) continue
    const unit = parameters.get('qu')
    const counted = typeof unit === 'string' && unit !== 'requests' ? { unit } : undefined
    limits.set(value, { name: value, quota, window: duration(parameters.get('w')), ...counted })
  }
  for (const { value, parameters } of parseList(get('ratelimit') ?? '') ?? []) {
    const remaining = count(parameters.get('r'))
    if (typeof value !== 'string' || remaining === undefined) continue
    const resetAfter = duration(parameters.get('t'))
    limits.set(value, { ...limits.get(value), name: value, remaining, resetAfter })
  }
  const older = limits.size === 0 ? parseOlder(get, now) : undefined
  if (older) limits.set(older.name, older)
  return {
    limits: [...limits.values()],
    retryAfter: readRetryAfter(
      { 'retry-after': get('retry-after')?.trim(), date: get('date') },
      () => now,
    ),
    stored: Number(get('age')) > 0,
  }
}

type Get = (name: string) => string | undefined

function reader(headers: HeadersLike): Get {
  if (typeof headers.get === 'function') {
    const get = headers.get.bind(headers) as (name: string) => string | null
    return name => get(name) ?? undefined
  }
  const fields = new Map<string, string>()
  for (const [name, value] of Object.entries(headers as Record<string, string | string[]>)) {
    if (value !== undefined) fields.set(name.toLowerCase(), `${value}`)
  }
  return name => fields.get(name)
}

function count(value: BareItem | undefined): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined
}

function duration(value: BareItem | undefined): number | undefined {
  const whole = count(value)
  return whole === undefined ? undefined : whole * 1_000
}

/** Before this, a reset is a number of seconds to wait; after it, a time. GitHub and others send times. */
const EARLIEST_TIME = 1e9

function parseOlder(get: Get, now: number): ServerLimit | undefined {
  const number = (name: string) => {
    const text = get(`x-ratelimit-${name}`)?.trim()
    return text !== undefined && /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined
  }
  const remaining = number('remaining')
  if (remaining === undefined) return undefined
  const reset = number('reset')
  const time = reset !== undefined && reset >= EARLIEST_TIME
  // Times come in seconds or in milliseconds.
  const at = time && reset >= 1e12 ? reset : (reset ?? 0) * 1_000
  const resetAfter = reset === undefined ? undefined : Math.max(0, time ? at - now : at)
  return { name: 'x-ratelimit', remaining, resetAfter, quota: number('limit') }
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1_000)
}

/** Whole seconds, of which less than a half is none. */
function wholeSeconds(ms: number): number {
  return ms < 500 ? 0 : seconds(ms)
}

/**
 * The policy of a limit by key, in whole seconds: of a bucket the time in which it fills, but at least one, and what it grants then, so that
 * a client which keeps to it loses nothing. Of a limit that does not tell, such as several in one, what it has decided by.
 */
export function policyOf(
  { rate, burst, limit, window }: LimiterBounds,
  decision: Decision,
): { quota: number; window: number | undefined } {
  if (limit !== undefined) return { quota: limit, window }
  if (rate === undefined || burst === undefined)
    return { quota: burst ?? decision.limit, window: undefined }
  const fill = Math.max(1, Math.ceil(burst / rate))
  return { quota: Math.max(1, Math.floor(rate * fill + 1e-9)), window: fill * 1_000 }
}

/** The older headers that many clients know, in seconds. */
export function legacyHeaders({ limit, remaining, resetAfter }: Decision): Record<string, string> {
  return {
    'X-RateLimit-Limit': `${Math.floor(limit)}`,
    'X-RateLimit-Remaining': `${Math.floor(remaining)}`,
    'X-RateLimit-Reset': `${seconds(resetAfter)}`,
  }
}
