import {
  checkBoolean,
  checkFunction,
  checkIntegerOrInfinity,
  checkNonNegative,
  checkPositive,
  checkText,
  InvalidOptionError,
  type OptionNames,
} from '@millrace/kit'
import { buildConnector, type Client } from 'undici'
import { resolveBreaker } from '../host/breaker.ts'
import { resolveHedge } from '../host/hedge.ts'
import type { GuardSettings } from '../host/host-guard.ts'
import { resolveThrottle } from '../host/throttle.ts'
import { checkLimiter, type Limiter } from '../limits/limiter.ts'
import { resolveProxy } from '../proxy/proxy-choice.ts'
import { tunnelConnector } from '../proxy/tunnel.ts'
import { refusePromise } from '../request/hook-result.ts'
import type { RetryPolicy } from '../retry/retry-policy.ts'
import { type AllowAddress, guardedLookup } from '../security/guarded-lookup.ts'
import { isPublicAddress } from '../security/public-addresses.ts'
import { checkTimeLimit, resolveFeature } from './check.ts'
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

export const ORIGIN_OPTION_NAMES: OptionNames<OriginOptions> = {
  connectionsPerHost: true,
  concurrencyPerHost: true,
  connectTimeout: true,
  keepAliveTimeout: true,
  keepAliveMaxTimeout: true,
  keepAliveMargin: true,
  allowH2: true,
  maxConcurrentStreams: true,
  maxHeaderSize: true,
  headers: true,
  tls: true,
  limiter: true,
  breaker: true,
  throttle: true,
  hedge: true,
  learnLimits: true,
  addresses: true,
  lookup: true,
  socketPath: true,
  proxy: true,
}

/** @param prefix what stands before the names of options in errors, with its dot; empty for those of the pool */
export function resolveOrigin(
  prefix: string,
  options: OriginOptions,
  retry: RetryPolicy | undefined,
  headers: OriginSettings['headers'],
): OriginSettings {
  const named = (name: keyof OriginOptions): string => prefix + name
  const {
    connectionsPerHost = 10,
    concurrencyPerHost = Infinity,
    connectTimeout = 10_000,
    allowH2 = false,
    maxConcurrentStreams = 100,
  } = options
  const allowAddress = resolveAddresses(named('addresses'), options.addresses)
  const settings = {
    allowAddress,
    headers,
    connectionsPerHost: checkIntegerOrInfinity(named('connectionsPerHost'), connectionsPerHost, 1),
    concurrencyPerHost: checkIntegerOrInfinity(named('concurrencyPerHost'), concurrencyPerHost, 1),
    connectTimeout: checkTimeLimit(named('connectTimeout'), connectTimeout),
    allowH2: checkBoolean(named('allowH2'), allowH2),
    maxConcurrentStreams: checkIntegerOrInfinity(
      named('maxConcurrentStreams'),
      maxConcurrentStreams,
      1,
    ),
    limiter: resolveLimiter(named('limiter'), options.limiter),
    guard: resolveGuard(named, options, retry),
  }
  return {
    ...settings,
    client: clientOptions(named, options, settings),
    connector: connector(named, options, settings),
  }
}

type Named = (name: keyof OriginOptions) => string

function resolveGuard(
  named: Named,
  options: OriginOptions,
  retry: RetryPolicy | undefined,
): GuardSettings {
  const breaker = resolveFeature(named('breaker'), options.breaker ?? false)
  const throttle = resolveFeature(named('throttle'), options.throttle ?? false)
  const hedge = resolveFeature(named('hedge'), options.hedge ?? false)
  return {
    hostTokens: retry?.hostTokens,
    breaker: breaker && resolveBreaker(breaker),
    throttle: throttle && resolveThrottle(throttle),
    hedge: hedge && resolveHedge(hedge),
    learnLimits: checkBoolean(named('learnLimits'), options.learnLimits ?? false),
  }
}

function clientOptions(
  named: Named,
  options: OriginOptions,
  { allowH2, maxConcurrentStreams }: Pick<OriginSettings, 'allowH2' | 'maxConcurrentStreams'>,
): Client.Options {
  const {
    keepAliveTimeout = 4_000,
    keepAliveMaxTimeout = 600_000,
    keepAliveMargin = 1_000,
    maxHeaderSize,
  } = options
  return {
    keepAliveTimeout: checkPositive(named('keepAliveTimeout'), keepAliveTimeout),
    keepAliveMaxTimeout: checkPositive(named('keepAliveMaxTimeout'), keepAliveMaxTimeout),
    keepAliveTimeoutThreshold: checkNonNegative(named('keepAliveMargin'), keepAliveMargin),
    allowH2,
    h2Options: { maxConcurrentStreams: finite(maxConcurrentStreams) },
    ...(maxHeaderSize === undefined
      ? undefined
      : {
          maxHeaderSize: finite(checkIntegerOrInfinity(named('maxHeaderSize'), maxHeaderSize, 1)),
        }),
  }
}

/** undici knows no Infinity. */
function finite(limit: number): number {
  return Math.min(limit, 2 ** 31 - 1)
}

function connector(
  named: Named,
  { tls, lookup, socketPath, proxy }: OriginOptions,
  { allowH2, allowAddress }: Pick<OriginSettings, 'allowH2' | 'allowAddress'>,
): buildConnector.connector {
  if (tls !== undefined && (typeof tls !== 'object' || tls === null)) {
    throw new InvalidOptionError(named('tls'), 'an object of options for tls.connect', tls)
  }
  if (socketPath !== undefined) checkText(named('socketPath'), socketPath)
  if (lookup !== undefined) checkFunction(named('lookup'), lookup)
  const guarded =
    allowAddress === undefined && lookup === undefined
      ? undefined
      : guardedLookup(lookup, allowAddress ?? allowAll)
  const choose = resolveProxy(named('proxy'), proxy)
  if (choose !== undefined && allowAddress !== undefined) {
    throw new InvalidOptionError(
      named('addresses'),
      'absent beside `proxy`, which looks names up itself',
      allowAddress,
    )
  }
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

function resolveLimiter(
  option: string,
  limiter: OriginOptions['limiter'],
): OriginOptions['limiter'] {
  if (limiter === undefined || typeof limiter === 'function') return limiter
  return checkLimiter(option, limiter, 'an object with a method acquire, or a function')
}

const allowAll: AllowAddress = () => true

function resolveAddresses(
  option: string,
  addresses: OriginOptions['addresses'],
): AllowAddress | undefined {
  if (addresses === 'public') return isPublicAddress
  if (addresses === undefined) return undefined
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
