import { checkBoolean, checkIntegerOrInfinity } from '@millrace/kit'
import { RetryPolicy } from '../retry/retry-policy.ts'
import { checkTimeLimit } from './check.ts'
import type { CallOptions, HttpPoolOptions, Timeouts } from './pool-options.ts'

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

type ResolvedTimeouts = Pick<CallPolicy, keyof Timeouts | 'hasOwnBodyTimeout'>

const DEFAULT_TIMEOUTS: ResolvedTimeouts = {
  acquireTimeout: 10_000,
  headersTimeout: 30_000,
  bodyTimeout: 30_000,
  totalTimeout: 0,
  hasOwnBodyTimeout: false,
}

/** The policy of calls that change nothing. */
export function resolvePoolPolicy(
  options: HttpPoolOptions,
  retry: RetryPolicy | undefined,
): CallPolicy {
  const { maxRedirects = 5, maxResponseSize = Infinity } = options
  return {
    ...resolveTimeouts(options, DEFAULT_TIMEOUTS),
    maxRedirects: checkIntegerOrInfinity('maxRedirects', maxRedirects, 0),
    maxResponseSize: checkIntegerOrInfinity('maxResponseSize', maxResponseSize, 0),
    retry,
    retryAnyMethod: false,
  }
}

/** The policy of one call: the pool's own object where the call changes nothing. */
export function resolveCall(defaults: CallPolicy, options: CallOptions): CallPolicy {
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
  const {
    retry = defaults.retry !== undefined,
    maxRedirects = defaults.maxRedirects,
    maxResponseSize = defaults.maxResponseSize,
  } = options
  return {
    ...resolveTimeouts(options, defaults),
    maxRedirects: checkIntegerOrInfinity('maxRedirects', maxRedirects, 0),
    maxResponseSize: checkIntegerOrInfinity('maxResponseSize', maxResponseSize, 0),
    retry: checkBoolean('retry', retry) ? (defaults.retry ?? new RetryPolicy()) : undefined,
    retryAnyMethod: options.retry === true,
  }
}

function resolveTimeouts(options: Timeouts, defaults: ResolvedTimeouts): ResolvedTimeouts {
  const {
    acquireTimeout = defaults.acquireTimeout,
    headersTimeout = defaults.headersTimeout,
    bodyTimeout = defaults.bodyTimeout,
    totalTimeout = defaults.totalTimeout,
  } = options
  return {
    acquireTimeout: checkTimeLimit('acquireTimeout', acquireTimeout),
    headersTimeout: checkTimeLimit('headersTimeout', headersTimeout),
    bodyTimeout: checkTimeLimit('bodyTimeout', bodyTimeout),
    totalTimeout: checkTimeLimit('totalTimeout', totalTimeout),
    hasOwnBodyTimeout: options.bodyTimeout !== undefined || defaults.hasOwnBodyTimeout,
  }
}
