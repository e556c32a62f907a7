import { HttpTimeoutError } from '../errors.ts'
import type { CallPolicy } from '../request/call-policy.ts'

/**
 * - `waiting`: for a permit or a connection
 * - `opening`: given to a connection, which may still have to connect
 * - `sent`: on the wire, no final response yet
 * - `body`: receiving
 * - `draining`: reading a response that is not wanted, to keep the connection
 */
export type AttemptPhase = 'waiting' | 'opening' | 'sent' | 'body' | 'draining' | 'over'

/** The error for a phase that took too long. */
export function phaseTimeout(
  phase: AttemptPhase,
  policy: CallPolicy,
  origin: string,
): HttpTimeoutError {
  if (phase === 'waiting') return new HttpTimeoutError('acquire', policy.acquireTimeout, origin)
  if (phase === 'sent') return new HttpTimeoutError('headers', policy.headersTimeout, origin)
  return new HttpTimeoutError('body', policy.bodyTimeout, origin)
}
