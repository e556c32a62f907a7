import {
  applyRules,
  asGiven,
  checkBoolean,
  checkFunction,
  checkIntegerOrInfinity,
  checkNonNegative,
  checkPositive,
  checkText,
  InvalidOptionError,
  nested,
  type OptionRules,
  optional,
  type Resolved,
  withDefault,
} from '@millrace/kit'
import { buildConnector, type Client } from 'undici'
import { BREAKER_RULES, type BreakerSettings } from '../host/breaker.ts'
import { HEDGE_RULES, type HedgeSettings } from '../host/hedge.ts'
import type { GuardSettings } from '../host/host-guard.ts'
import { THROTTLE_RULES, type ThrottleSettings } from '../host/throttle.ts'
import { checkLimiter, type Limiter } from '../limits/limiter.ts'
import { type ChooseProxy, resolveProxy } from '../proxy/proxy-choice.ts'
import { tunnelConnector } from '../proxy/tunnel.ts'
import { refusePromise } from '../request/hook-result.ts'
import type { RetryPolicy } from '../retry/retry-policy.ts'
import { type AllowAddress, guardedLookup } from '../security/guarded-lookup.ts'
import { isPublicAddress } from '../security/public-addresses.ts'
import { checkTimeLimit, feature } from './check.ts'
import type { OriginOptions } from './pool-options.ts'

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

/** What the options say, each by itself. */
type Given = Omit<
  Resolved<
    OriginOptions,
    'maxHeaderSize' | 'headers' | 'tls' | 'limiter' | 'lookup' | 'socketPath'
  >,
  'breaker' | 'throttle' | 'hedge' | 'addresses' | 'proxy'
> & {
  readonly breaker: BreakerSettings | undefined
  readonly throttle: ThrottleSettings | undefined
  readonly hedge: HedgeSettings | undefined
  readonly addresses: AllowAddress | undefined
  readonly proxy: ChooseProxy | undefined
}

export const ORIGIN_OPTIONS: OptionRules<OriginOptions, Given> = {
  connectionsPerHost: withDefault(10, checkIntegerOrInfinity, 1),
  concurrencyPerHost: withDefault(Infinity, checkIntegerOrInfinity, 1),
  connectTimeout: withDefault(10_000, checkTimeLimit),
  keepAliveTimeout: withDefault(4_000, checkPositive),
  keepAliveMaxTimeout: withDefault(600_000, checkPositive),
  keepAliveMargin: withDefault(1_000, checkNonNegative),
  allowH2: withDefault(false, checkBoolean),
  maxConcurrentStreams: withDefault(100, checkIntegerOrInfinity, 1),
  maxHeaderSize: optional(checkIntegerOrInfinity, 1),
  // Of an origin they are those of the pool as well.
  headers: asGiven,
  tls: optional(checkTls),
  limiter: optional(checkLimiters),
  breaker: feature(false, nested(BREAKER_RULES)),
  throttle: feature(false, nested(THROTTLE_RULES)),
  hedge: feature(false, nested(HEDGE_RULES)),
  learnLimits: withDefault(false, checkBoolean),
  addresses: optional(resolveAddresses),
  lookup: optional(checkFunction<NonNullable<OriginOptions['lookup']>>),
  socketPath: optional(checkText),
  proxy: optional(resolveProxy),
}

/** @param path what stands before the names of options in errors; empty for those of the pool */
export function resolveOrigin(
  path: string,
  options: OriginOptions,
  retry: RetryPolicy | undefined,
  headers: OriginSettings['headers'],
): OriginSettings {
  const given = applyRules(path, options, ORIGIN_OPTIONS)
  const { connectionsPerHost, concurrencyPerHost, connectTimeout, allowH2, limiter } = given
  const { maxConcurrentStreams, breaker, throttle, hedge, learnLimits, addresses, proxy } = given
  const { socketPath } = given
  if (proxy !== undefined && addresses !== undefined) {
    throw new InvalidOptionError(
      `${path && `${path}.`}addresses`,
      'absent beside `proxy`, which looks names up itself',
      addresses,
    )
  }
  if (proxy !== undefined && socketPath !== undefined) {
    throw new InvalidOptionError(
      `${path && `${path}.`}socketPath`,
      'absent beside `proxy`, as a connection goes one way or the other',
      socketPath,
    )
  }
  return {
    connectionsPerHost,
    concurrencyPerHost,
    connectTimeout,
    allowH2,
    maxConcurrentStreams,
    guard: { hostTokens: retry?.hostTokens, breaker, throttle, hedge, learnLimits },
    allowAddress: addresses,
    headers,
    limiter,
    client: clientOptions(given),
    connector: connector(given),
  }
}

function clientOptions(given: Given): Client.Options {
  const { keepAliveTimeout, keepAliveMaxTimeout, keepAliveMargin, maxHeaderSize } = given
  return {
    keepAliveTimeout,
    keepAliveMaxTimeout,
    keepAliveTimeoutThreshold: keepAliveMargin,
    allowH2: given.allowH2,
    h2Options: { maxConcurrentStreams: finite(given.maxConcurrentStreams) },
    ...(maxHeaderSize === undefined ? undefined : { maxHeaderSize: finite(maxHeaderSize) }),
  }
}

/** undici knows no Infinity. */
function finite(limit: number): number {
  return Math.min(limit, 2 ** 31 - 1)
}

function connector(given: Given): buildConnector.connector {
  const { tls, lookup, socketPath, allowH2, addresses, proxy: choose } = given
  const guarded =
    addresses === undefined && lookup === undefined
      ? undefined
      : guardedLookup(lookup, addresses ?? allowAll)
  const direct = buildConnector({
    ...tls,
    ...(guarded === undefined ? undefined : { lookup: guarded }),
    ...(socketPath === undefined ? undefined : { socketPath }),
    allowH2,
    // The pool's heap keeps this time.
    timeout: 0,
  })
  if (choose === undefined) return direct
  const { ca, rejectUnauthorized } = tls ?? {}
  const toProxy = buildConnector({
    ...(ca === undefined ? undefined : { ca }),
    ...(rejectUnauthorized === undefined ? undefined : { rejectUnauthorized }),
    ...(lookup === undefined ? undefined : { lookup: guardedLookup(lookup, allowAll) }),
    allowH2: false,
    timeout: 0,
  })
  return tunnelConnector({ choose, direct, toProxy })
}

function checkTls(option: string, tls: OriginOptions['tls']): OriginOptions['tls'] {
  if (typeof tls === 'object' && tls !== null) return tls
  throw new InvalidOptionError(option, 'an object of options for tls.connect', tls)
}

function checkLimiters(
  option: string,
  limiter: NonNullable<OriginOptions['limiter']>,
): OriginOptions['limiter'] {
  if (typeof limiter === 'function') return limiter
  return checkLimiter(option, limiter, 'an object with a method acquire, or a function')
}

const allowAll: AllowAddress = () => true

function resolveAddresses(
  option: string,
  addresses: NonNullable<OriginOptions['addresses']>,
): AllowAddress {
  if (addresses === 'public') return isPublicAddress
  if (typeof addresses !== 'function') {
    throw new InvalidOptionError(option, "'public' or a function", addresses)
  }
  return (address, family) => {
    const isAllowed: unknown = addresses(address, family)
    // A promise is true whatever it says.
    refusePromise(option, isAllowed)
    return Boolean(isAllowed)
  }
}
