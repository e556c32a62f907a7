import type { CallPolicy } from '../options/settings.ts'
import { type ExchangeOptions, isReplayable } from '../request/exchange-options.ts'
import { idempotentMethods } from '../retry/idempotent-methods.ts'
import { isDeadConnection } from '../retry/transient-errors.ts'
import type { Attempt } from './attempt.ts'

/** Whether to send a request twice does no more harm than once. */
export function isRepeatable(options: ExchangeOptions, policy: CallPolicy): boolean {
  if (policy.retryAnyMethod || options.idempotent === true) return true
  if (options.idempotent === false) return false
  const { retry } = policy
  return retry === undefined
    ? idempotentMethods.includes(options.method)
    : retry.allowsMethod(options.method)
}

/** Whether the request of a failed attempt can be sent once more. */
export function mayRepeat(attempt: Attempt, options: ExchangeOptions, policy: CallPolicy): boolean {
  if (!isReplayable(options)) return false
  // Nothing was sent: no method forbids another try.
  return attempt.controller === null || isRepeatable(options, policy)
}

/**
 * Whether an attempt died because the server had closed its idle connection before it read a byte of the
 * request. net/http's Transport in Go judges the same way.
 */
export function diedIdle(attempt: Attempt, error: Error): boolean {
  return attempt.onReusedSocket && !attempt.hasResponse && isDeadConnection(error)
}
