import {
  applyRules,
  type Clock,
  checkBoolean,
  checkClock,
  checkFunction,
  checkIntegerOrInfinity,
  checkOptions,
  checkRecord,
  defined,
  InvalidOptionError,
  monotonicClock,
  nested,
  type OptionNames,
  optional,
  withDefault,
} from '@millrace/kit'
import { CACHE_RULES, type CacheSettings } from '../cache/cache-settings.ts'
import type { CallPolicy } from '../request/call-policy.ts'
import type { InjectHeaders } from '../request/inject-headers.ts'
import { type HttpRetryOptions, RetryPolicy } from '../retry/retry-policy.ts'
import { checkTimeLimit, feature } from './check.ts'
import { CREDENTIAL_HEADERS } from './credential-headers.ts'
import { resolveHeaders } from './origin-headers.ts'
import { ORIGIN_OPTIONS, type OriginSettings, resolveOrigin } from './origin-settings.ts'
import type { HttpPoolOptions } from './pool-options.ts'
import { resolvePoolPolicy } from './resolve-call.ts'

/** The resolved {@link HttpPoolOptions}. */
export interface PoolSettings {
  readonly totalConnections: number
  readonly totalConcurrency: number
  readonly maxQueue: number
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
  readonly clock: Clock
  readonly random: () => number
  readonly origin: OriginSettings
  readonly origins: ReadonlyMap<string, OriginSettings>
}

const OWN_OPTIONS = {
  totalConnections: withDefault(100, checkIntegerOrInfinity, 1),
  totalConcurrency: withDefault(Infinity, checkIntegerOrInfinity, 1),
  maxQueue: withDefault(10_000, checkIntegerOrInfinity, 0),
  bodyLeakTimeout: withDefault(60_000, checkTimeLimit),
  decompress: withDefault(false, checkBoolean),
  coalesce: withDefault(false, checkBoolean),
  cache: feature(false, nested(CACHE_RULES)),
  retry: feature(true, (_, options) => new RetryPolicy(options as HttpRetryOptions)),
  injectHeaders: optional(checkFunction<InjectHeaders>),
  clock: withDefault(monotonicClock, checkClock<Clock>),
  random: withDefault(Math.random, checkFunction<() => number>),
}

const NAMES: OptionNames<HttpPoolOptions> = {
  ...ORIGIN_OPTIONS,
  ...OWN_OPTIONS,
  acquireTimeout: true,
  headersTimeout: true,
  bodyTimeout: true,
  totalTimeout: true,
  maxRedirects: true,
  maxResponseSize: true,
  origins: true,
}

export function resolvePoolOptions(options: HttpPoolOptions): PoolSettings {
  const { retry, ...own } = applyRules('', checkOptions('', options, NAMES), OWN_OPTIONS)
  const origin = resolveOrigin('', options, retry, resolveHeaders('headers', options.headers))
  const origins = resolveOrigins(options, retry)
  const call = resolvePoolPolicy(options, retry)
  return {
    ...own,
    credentials: [...CREDENTIAL_HEADERS, ...(own.cache?.credentials ?? [])],
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
    checkOptions(path, own, ORIGIN_OPTIONS)
    const hasOwnWay = own.proxy !== undefined || own.socketPath !== undefined
    const shared = hasOwnWay ? { ...options, proxy: undefined, socketPath: undefined } : options
    const headers = resolveHeaders(`${path}.headers`, options.headers, own.headers ?? {})
    origins.set(name, resolveOrigin(path, { ...shared, ...defined(own) }, retry, headers))
  }
  return origins
}
