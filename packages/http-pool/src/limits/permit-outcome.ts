import { HttpTimeoutError } from '../errors.ts'
import type { PermitOutcome } from './limiter.ts'

/**
 * How an attempt ended, as a limiter that adapts is told.
 *
 * @param statusCode of its response, or 0
 * @param wasSent it was on the wire: only then does a time-out say something of the host
 */
export function permitOutcome(
  statusCode: number,
  error: Error | undefined,
  wasSent: boolean,
): PermitOutcome {
  if (statusCode === 429 || statusCode === 503) return 'dropped'
  if (error === undefined) return 'success'
  return error instanceof HttpTimeoutError && wasSent ? 'dropped' : 'ignored'
}
