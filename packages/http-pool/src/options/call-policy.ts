import { RetryPolicy } from '../retry/retry-policy.ts'
import { count, flag } from './check.ts'
import type { CallOptions } from './pool-options.ts'
import { type CallPolicy, resolveTimeouts } from './settings.ts'

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
  const retry = flag('retry', options.retry, defaults.retry !== undefined)
  return {
    ...resolveTimeouts(options, defaults),
    maxRedirects: count('maxRedirects', options.maxRedirects, defaults.maxRedirects, 0),
    maxResponseSize: count('maxResponseSize', options.maxResponseSize, defaults.maxResponseSize, 0),
    retry: retry ? (defaults.retry ?? new RetryPolicy()) : undefined,
    retryAnyMethod: options.retry === true,
  }
}
