import { buildConnector, type Client } from 'undici'
import { type CacheSettings, resolveCache } from '../cache/cache-settings.ts'
import { InvalidOptionError } from '../errors.ts'
import type { InjectHeaders } from '../exchange/attempt-trace.ts'
import { type BreakerSettings, resolveBreaker } from '../host/breaker.ts'
import { type HedgeSettings, resolveHedge } from '../host/hedge.ts'
import { resolveThrottle, type ThrottleSettings } from '../host/throttle.ts'
import type { Limiter } from '../limits/limiter.ts'
import { RetryPolicy } from '../retry/retry-policy.ts'
import { type AllowAddress, guardedLookup } from '../security/guarded-lookup.ts'
import { isPublicAddress } from '../security/public-addresses.ts'
import { callback, count, duration, feature, flag, onlyKnown, span, wait } from './check.ts'
import { resolveHeaders } from './origin-headers.ts'
import type { HttpPoolOptions, OriginOptions, Timeouts } from './pool-options.ts'

/** What judges a host's health, as far as it is on. */
export interface GuardSettings {
  readonly hostTokens: number | undefined
  readonly breaker: BreakerSettings | undefined
  readonly throttle: ThrottleSettings | undefined
  readonly hedge: HedgeSettings | undefined
  readonly learnLimits: boolean
}

/** The resolved {@link OriginOptions} of one origin. */
export interface OriginSettings {
  readonly connectionsPerHost: number
  readonly concurrencyPerHost: number
  readonly connectTimeout: number
  readonly allowH2: boolean
  readonly maxConcurrentStreams: number
  readonly guard: GuardSettings
  readonly allowAddress: AllowAddress | undefined
  /** Sent with each request that does not have them, by names in lower case. */
  readonly headers: Readonly<Record<string, string>> | undefined
  readonly limiter: Limiter | ((origin: string) => Limiter) | undefined
  /** What every undici client of the origin is made with. */
  readonly client: Client.Options
  readonly connector: buildConnector.connector
}

/** The resolved policy of a call: one object shared by all calls that change nothing. */
export interface CallPolicy {
  readonly acquireTimeout: number
  readonly headersTimeout: number
  readonly bodyTimeout: number
  readonly totalTimeout: number
  readonly maxRedirects: number
  readonly maxResponseSize: number
  readonly retry: RetryPolicy | undefined
  /** The caller vouches that the request may be sent twice. */
  readonly retryAnyMethod: boolean
}

/** The resolved {@link HttpPoolOptions}. */
export interface PoolSettings {
  readonly totalConnections: number
  readonly totalConcurrency: number
  readonly maxQueued: number
  readonly bodyLeakTimeout: number
  readonly decompress: boolean
  readonly coalesce: boolean
  readonly cache: CacheSettings | undefined
  readonly injectHeaders: InjectHeaders | undefined
  /** Some origin has headers of its own. */
  readonly hasHeaders: boolean
  readonly call: CallPolicy
  /** For requests that undici's own functions dispatch: redirects are their affair. */
  readonly dispatch: CallPolicy
  readonly origin: OriginSettings
  readonly origins: ReadonlyMap<string, OriginSettings>
}

const originOptionNames = [
  'connectionsPerHost',
  'concurrencyPerHost',
  'connectTimeout',
  'keepAliveTimeout',
  'keepAliveMaxTimeout',
  'keepAliveMargin',
  'allowH2',
  'maxConcurrentStreams',
  'maxHeaderSize',
  'headers',
  'tls',
  'limiter',
  'breaker',
  'throttle',
  'hedge',
  'learnLimits',
  'addresses',
  'lookup',
] as const satisfies readonly (keyof OriginOptions)[]

const poolOptionNames = [
  ...originOptionNames,
  'acquireTimeout',
  'headersTimeout',
  'bodyTimeout',
  'totalTimeout',
  'totalConnections',
  'totalConcurrency',
  'maxQueued',
  'origins',
  'maxRedirects',
  'maxResponseSize',
  'retry',
  'decompress',
  'coalesce',
  'cache',
  'bodyLeakTimeout',
  'injectHeaders',
  'clock',
  'random',
] as const satisfies readonly (keyof HttpPoolOptions)[]

export function resolvePoolOptions(options: HttpPoolOptions): PoolSettings {
  onlyKnown('', options, poolOptionNames)
  const retryOptions = feature('retry', options.retry, true)
  const retry = retryOptions && new RetryPolicy(retryOptions)
  const origin = resolveOrigin('', options, retry, resolveHeaders('headers', options.headers))
  const origins = new Map<string, OriginSettings>()
  for (const [name, own] of Object.entries(options.origins ?? {})) {
    if (!URL.canParse(name) || new URL(name).origin !== name) {
      throw new InvalidOptionError(
        'origins',
        'keyed by origins such as "https://example.com"',
        name,
      )
    }
    const prefix = `origins[${JSON.stringify(name)}]`
    onlyKnown(prefix, own, originOptionNames)
    const headers = resolveHeaders(`${prefix}.headers`, options.headers, own.headers ?? {})
    origins.set(name, resolveOrigin(`${prefix}.`, { ...options, ...own }, retry, headers))
  }
  const cache = feature('cache', options.cache, false)
  callback('random', options.random)
  const call: CallPolicy = {
    ...resolveTimeouts(options, defaultTimeouts),
    maxRedirects: count('maxRedirects', options.maxRedirects, 5, 0),
    maxResponseSize: count('maxResponseSize', options.maxResponseSize, Number.POSITIVE_INFINITY, 0),
    retry,
    retryAnyMethod: false,
  }
  return {
    totalConnections: count('totalConnections', options.totalConnections, 100),
    totalConcurrency: count('totalConcurrency', options.totalConcurrency, Number.POSITIVE_INFINITY),
    bodyLeakTimeout: duration('bodyLeakTimeout', options.bodyLeakTimeout, 60_000),
    coalesce: flag('coalesce', options.coalesce, false),
    cache: cache && resolveCache(cache),
    decompress: flag('decompress', options.decompress, false),
    hasHeaders: [origin, ...origins.values()].some(({ headers }) => headers !== undefined),
    injectHeaders: callback('injectHeaders', options.injectHeaders),
    maxQueued: count('maxQueued', options.maxQueued, 10_000, 0),
    origin,
    origins,
    call,
    dispatch: { ...call, maxRedirects: 0 },
  }
}

type ResolvedTimeouts = Pick<
  CallPolicy,
  'acquireTimeout' | 'headersTimeout' | 'bodyTimeout' | 'totalTimeout'
>

const defaultTimeouts: ResolvedTimeouts = {
  acquireTimeout: 10_000,
  headersTimeout: 30_000,
  bodyTimeout: 30_000,
  totalTimeout: 0,
}

export function resolveTimeouts(options: Timeouts, defaults: ResolvedTimeouts): ResolvedTimeouts {
  return {
    acquireTimeout: duration('acquireTimeout', options.acquireTimeout, defaults.acquireTimeout),
    headersTimeout: duration('headersTimeout', options.headersTimeout, defaults.headersTimeout),
    bodyTimeout: duration('bodyTimeout', options.bodyTimeout, defaults.bodyTimeout),
    totalTimeout: duration('totalTimeout', options.totalTimeout, defaults.totalTimeout),
  }
}

function resolveOrigin(
  prefix: string,
  options: OriginOptions,
  retry: RetryPolicy | undefined,
  headers: OriginSettings['headers'],
): OriginSettings {
  const allowH2 = flag(`${prefix}allowH2`, options.allowH2, true)
  const maxConcurrentStreams = count(
    `${prefix}maxConcurrentStreams`,
    options.maxConcurrentStreams,
    100,
  )
  if (options.tls !== undefined && (typeof options.tls !== 'object' || options.tls === null)) {
    throw new InvalidOptionError(
      `${prefix}tls`,
      'an object of options for tls.connect',
      options.tls,
    )
  }
  const breaker = feature(`${prefix}breaker`, options.breaker, false)
  const throttle = feature(`${prefix}throttle`, options.throttle, false)
  const hedge = feature(`${prefix}hedge`, options.hedge, false)
  const lookup = callback(`${prefix}lookup`, options.lookup)
  const allowAddress = resolveAddresses(`${prefix}addresses`, options.addresses)
  const guarded = allowAddress === undefined ? lookup : guardedLookup(lookup, allowAddress)
  return {
    allowAddress,
    headers,
    connectionsPerHost: count(`${prefix}connectionsPerHost`, options.connectionsPerHost, 10),
    concurrencyPerHost: count(
      `${prefix}concurrencyPerHost`,
      options.concurrencyPerHost,
      Number.POSITIVE_INFINITY,
    ),
    connectTimeout: duration(`${prefix}connectTimeout`, options.connectTimeout, 10_000),
    allowH2,
    maxConcurrentStreams,
    limiter: resolveLimiter(`${prefix}limiter`, options.limiter),
    guard: {
      hostTokens: retry?.hostTokens,
      breaker: breaker && resolveBreaker(breaker),
      throttle: throttle && resolveThrottle(throttle),
      hedge: hedge && resolveHedge(hedge),
      learnLimits: flag(`${prefix}learnLimits`, options.learnLimits, false),
    },
    client: {
      keepAliveTimeout: span(`${prefix}keepAliveTimeout`, options.keepAliveTimeout, 4_000),
      keepAliveMaxTimeout: span(
        `${prefix}keepAliveMaxTimeout`,
        options.keepAliveMaxTimeout,
        600_000,
      ),
      keepAliveTimeoutThreshold: wait(`${prefix}keepAliveMargin`, options.keepAliveMargin, 1_000),
      allowH2,
      h2Options: { maxConcurrentStreams: Math.min(maxConcurrentStreams, 2 ** 31 - 1) },
      ...(options.maxHeaderSize === undefined
        ? undefined
        : { maxHeaderSize: count(`${prefix}maxHeaderSize`, options.maxHeaderSize, 1) }),
    },
    connector: buildConnector({
      ...options.tls,
      ...(guarded === undefined ? undefined : { lookup: guarded }),
      allowH2,
      // The pool's heap keeps this time.
      timeout: 0,
    }),
  }
}

function resolveLimiter(
  option: string,
  limiter: OriginOptions['limiter'],
): OriginOptions['limiter'] {
  if (limiter === undefined || typeof limiter === 'function') return limiter
  if (typeof limiter?.acquire !== 'function') {
    throw new InvalidOptionError(option, 'an object with a method acquire, or a function', limiter)
  }
  return limiter
}

function resolveAddresses(
  option: string,
  addresses: OriginOptions['addresses'],
): AllowAddress | undefined {
  if (addresses === 'public') return isPublicAddress
  if (addresses === undefined || typeof addresses === 'function') return addresses
  throw new InvalidOptionError(option, "'public' or a function", addresses)
}
