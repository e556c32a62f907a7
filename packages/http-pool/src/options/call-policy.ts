import { checkBoolean, checkIntegerOrInfinity } from '@millrace/kit'
import { RetryPolicy } from '../retry/retry-policy.ts'
import { checkTimeLimit } from './check.ts'
import type { HttpCallOptions, HttpPoolOptions } from './pool-options.ts'

/** The resolved policy of a call: one object shared by all calls that change nothing. Times in ms, 0 for none. */
export interface CallPolicy {
  readonly acquireTimeout: number
  readonly headersTimeout: number
  readonly bodyTimeout: number
  readonly totalTimeout: number
  /** `bodyTimeout` was given, and is no default: it holds for event streams too. */
  readonly hasOwnBodyTimeout: boolean
  readonly maxRedirects: number
  readonly maxResponseSize: number
  readonly retry: RetryPolicy | undefined
  /** The call asks for retries itself, whatever its method. */
  readonly retryAnyMethod: boolean
}

/** What a call may bound, and a pool for all its calls. */
type Limits = Omit<CallPolicy, 'retry' | 'retryAnyMethod'>

const DEFAULT_LIMITS: Limits = {
  acquireTimeout: 10_000,
  headersTimeout: 30_000,
  bodyTimeout: 30_000,
  totalTimeout: 0,
  hasOwnBodyTimeout: false,
  maxRedirects: 5,
  maxResponseSize: Infinity,
}

/** The policy of calls that change nothing. */
export function resolvePoolPolicy(
  options: HttpPoolOptions,
  retry: RetryPolicy | undefined,
): CallPolicy {
  return { ...resolveLimits(options, DEFAULT_LIMITS), retry, retryAnyMethod: false }
}

/** The policy of one call: the pool's own object where the call changes nothing. */
export function resolveCall(defaults: CallPolicy, options: HttpCallOptions): CallPolicy {
  if (
    options.retry === undefined &&
    options.totalTimeout === undefined &&
    options.headersTimeout === undefined &&
    options.bodyTimeout === undefined &&
    options.acquireTimeout === undefined &&
    options.maxRedirects === undefined &&
    options.maxResponseSize === undefined
  ) {
    return defaults
  }
  const { retry = defaults.retry !== undefined } = options
  return {
    ...resolveLimits(options, defaults),
    retry: checkBoolean('retry', retry) ? (defaults.retry ?? new RetryPolicy()) : undefined,
    retryAnyMethod: options.retry === true,
  }
}

function resolveLimits(options: HttpCallOptions | HttpPoolOptions, defaults: Limits): Limits {
  const {
    acquireTimeout = defaults.acquireTimeout,
    headersTimeout = defaults.headersTimeout,
    bodyTimeout = defaults.bodyTimeout,
    totalTimeout = defaults.totalTimeout,
    maxRedirects = defaults.maxRedirects,
    maxResponseSize = defaults.maxResponseSize,
  } = options
  return {
    acquireTimeout: checkTimeLimit('acquireTimeout', acquireTimeout),
    headersTimeout: checkTimeLimit('headersTimeout', headersTimeout),
    bodyTimeout: checkTimeLimit('bodyTimeout', bodyTimeout),
    totalTimeout: checkTimeLimit('totalTimeout', totalTimeout),
    hasOwnBodyTimeout: options.bodyTimeout !== undefined || defaults.hasOwnBodyTimeout,
    maxRedirects: checkIntegerOrInfinity('maxRedirects', maxRedirects, 0),
    maxResponseSize: checkIntegerOrInfinity('maxResponseSize', maxResponseSize, 0),
  }
}
