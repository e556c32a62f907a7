import {
  checkBoolean,
  checkClock,
  checkFunction,
  checkIntegerOrInfinity,
  checkOptions,
  checkRecord,
  InvalidOptionError,
  type OptionNames,
} from '@millrace/kit'
import { type CacheSettings, resolveCache } from '../cache/cache-settings.ts'
import type { InjectHeaders } from '../request/inject-headers.ts'
import { CREDENTIAL_HEADERS } from '../request/redirect-target.ts'
import { RetryPolicy } from '../retry/retry-policy.ts'
import { type CallPolicy, resolvePoolPolicy } from './call-policy.ts'
import { checkTimeLimit, resolveFeature } from './check.ts'
import { resolveHeaders } from './origin-headers.ts'
import { ORIGIN_OPTION_NAMES, type OriginSettings, resolveOrigin } from './origin-settings.ts'
import type { HttpPoolOptions } from './pool-options.ts'

/** The resolved {@link HttpPoolOptions}. */
export interface PoolSettings {
  readonly totalConnections: number
  readonly totalConcurrency: number
  readonly maxQueued: number
  readonly bodyLeakTimeout: number
  readonly decompress: boolean
  readonly coalesce: boolean
  readonly cache: CacheSettings | undefined
  /** Names in lower case of headers that stay with the origin that they are sent to. */
  readonly credentials: readonly string[]
  readonly injectHeaders: InjectHeaders | undefined
  /** Some origin has headers of its own. */
  readonly hasHeaders: boolean
  readonly call: CallPolicy
  /** For requests that undici's own functions dispatch: redirects are their affair. */
  readonly dispatch: CallPolicy
  readonly origin: OriginSettings
  readonly origins: ReadonlyMap<string, OriginSettings>
}

const OPTION_NAMES: OptionNames<HttpPoolOptions> = {
  ...ORIGIN_OPTION_NAMES,
  acquireTimeout: true,
  headersTimeout: true,
  bodyTimeout: true,
  totalTimeout: true,
  totalConnections: true,
  totalConcurrency: true,
  maxQueued: true,
  origins: true,
  maxRedirects: true,
  maxResponseSize: true,
  retry: true,
  decompress: true,
  coalesce: true,
  cache: true,
  bodyLeakTimeout: true,
  injectHeaders: true,
  clock: true,
  random: true,
}

export function resolvePoolOptions(options: HttpPoolOptions): PoolSettings {
  checkOptions('', options, OPTION_NAMES)
  const {
    totalConnections = 100,
    totalConcurrency = Infinity,
    maxQueued = 10_000,
    bodyLeakTimeout = 60_000,
    decompress = false,
    coalesce = false,
    injectHeaders,
    random,
  } = options
  const retryOptions = resolveFeature('retry', options.retry ?? true)
  const retry = retryOptions && new RetryPolicy(retryOptions)
  const cacheOptions = resolveFeature('cache', options.cache ?? false)
  const cache = cacheOptions && resolveCache(cacheOptions)
  const origin = resolveOrigin('', options, retry, resolveHeaders('headers', options.headers))
  const origins = resolveOrigins(options, retry)
  const call = resolvePoolPolicy(options, retry)
  if (injectHeaders !== undefined) checkFunction('injectHeaders', injectHeaders)
  if (random !== undefined) checkFunction('random', random)
  if (options.clock !== undefined) checkClock('clock', options.clock)
  return {
    totalConnections: checkIntegerOrInfinity('totalConnections', totalConnections, 1),
    totalConcurrency: checkIntegerOrInfinity('totalConcurrency', totalConcurrency, 1),
    maxQueued: checkIntegerOrInfinity('maxQueued', maxQueued, 0),
    bodyLeakTimeout: checkTimeLimit('bodyLeakTimeout', bodyLeakTimeout),
    decompress: checkBoolean('decompress', decompress),
    coalesce: checkBoolean('coalesce', coalesce),
    cache,
    credentials: [...CREDENTIAL_HEADERS, ...(cache?.credentials ?? [])],
    injectHeaders,
    hasHeaders: [origin, ...origins.values()].some(({ headers }) => headers !== undefined),
    call,
    dispatch: { ...call, maxRedirects: 0 },
    origin,
    origins,
  }
}

function resolveOrigins(
  options: HttpPoolOptions,
  retry: RetryPolicy | undefined,
): Map<string, OriginSettings> {
  const origins = new Map<string, OriginSettings>()
  for (const [name, own] of Object.entries(checkRecord('origins', options.origins ?? {}))) {
    const url = URL.parse(name)
    if (url === null || url.origin !== name || !/^https?:$/.test(url.protocol)) {
      throw new InvalidOptionError(
        'origins',
        'keyed by origins such as "https://example.com"',
        name,
      )
    }
    const path = `origins[${JSON.stringify(name)}]`
    checkOptions(path, own, ORIGIN_OPTION_NAMES)
    const headers = resolveHeaders(`${path}.headers`, options.headers, own.headers ?? {})
    origins.set(name, resolveOrigin(`${path}.`, { ...options, ...own }, retry, headers))
  }
  return origins
}
