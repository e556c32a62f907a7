import { isUnprocessed } from '../connect/stream-errors.ts'
import type { Controller } from '../handler.ts'
import type { CallPolicy } from '../request/call-policy.ts'
import { type ExchangeOptions, isReplayable } from '../request/exchange-options.ts'
import { IDEMPOTENT_METHODS } from '../retry/idempotent-methods.ts'
import { isDeadConnection } from '../retry/transient-errors.ts'

/** How far an attempt came. */
export interface SentAttempt {
  /** Set once it is on the wire. */
  readonly controller: Controller | null
  readonly onReusedSocket: boolean
  readonly hasResponse: boolean
}

/** Whether to send a request twice does no more harm than once. */
export function isRepeatable(options: ExchangeOptions, policy: CallPolicy): boolean {
  if (policy.retryAnyMethod || options.idempotent === true) return true
  if (options.idempotent === false) return false
  const { retry } = policy
  return retry === undefined
    ? IDEMPOTENT_METHODS.includes(options.method)
    : retry.allowsMethod(options.method)
}

/**
 * Whether the request of a failed attempt can be sent once more.
 *
 * @param error why it failed, or undefined if it was answered
 */
export function mayRepeat(
  attempt: SentAttempt,
  error: Error | undefined,
  options: ExchangeOptions,
  policy: CallPolicy,
): boolean {
  if (!isReplayable(options)) return false
  // Nothing was sent, or the server says that it has read nothing: no method forbids another try.
  if (attempt.controller === null || (error !== undefined && isUnprocessed(error))) return true
  return isRepeatable(options, policy)
}

/** Whether an attempt failed by the end of its connection and says nothing of the host: it is sent again at no cost. */
export function isConnectionEnd(attempt: SentAttempt, error: Error): boolean {
  return diedIdle(attempt, error) || (!attempt.hasResponse && isUnprocessed(error))
}

/**
 * Whether an attempt died because the server had closed its idle connection before it read a byte of the
 * request. net/http's Transport in Go judges the same way.
 */
function diedIdle(attempt: SentAttempt, error: Error): boolean {
  return attempt.onReusedSocket && !attempt.hasResponse && isDeadConnection(error)
}
