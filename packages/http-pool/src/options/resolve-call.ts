import { checkBoolean, checkIntegerOrInfinity } from '@millrace/kit'
import type { HttpCallOptions, Timeouts } from '../request/call-options.ts'
import type { CallPolicy } from '../request/call-policy.ts'
import { RetryPolicy } from '../retry/retry-policy.ts'
import { checkTimeLimit } from './check.ts'
import type { HttpPoolOptions } from './pool-options.ts'

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
  const { maxRedirects = defaults.maxRedirects, maxResponseSize = defaults.maxResponseSize } =
    options
  const limit = (name: keyof Timeouts): number =>
    options[name] === undefined ? defaults[name] : checkTimeLimit(name, options[name])
  return {
    acquireTimeout: limit('acquireTimeout'),
    headersTimeout: limit('headersTimeout'),
    bodyTimeout: limit('bodyTimeout'),
    totalTimeout: limit('totalTimeout'),
    hasOwnBodyTimeout: options.bodyTimeout !== undefined || defaults.hasOwnBodyTimeout,
    maxRedirects: checkIntegerOrInfinity('maxRedirects', maxRedirects, 0),
    maxResponseSize: checkIntegerOrInfinity('maxResponseSize', maxResponseSize, 0),
  }
}
