import type { Origin } from '../connect/origin.ts'
import { HttpTimeoutError, SupersededError } from '../errors.ts'
import type { ResponseHeaders } from '../handler.ts'
import { isTransient } from '../retry/transient-errors.ts'
import { isConnectionEnd, type SentAttempt } from './repeat-rules.ts'

/** What a report of an attempt is made of. The host's guard has admitted it and is told its outcome, exactly once. */
export interface ReportedAttempt extends SentAttempt {
  readonly origin: Origin
  /** What the guard wants back with the outcome. */
  readonly era: number
  readonly sentAt: number
  isReported: boolean
}

/** The head of a response has come. */
export function reportAnswer(
  attempt: ReportedAttempt,
  statusCode: number,
  headers: ResponseHeaders,
  isRetryable: boolean,
): void {
  attempt.isReported = true
  const { guard, load } = attempt.origin
  if (guard === undefined) return
  const now = load.clock.now()
  guard.answered(statusCode, headers, isRetryable, now - attempt.sentAt, now, attempt.era)
}

/** The attempt has ended before it had an answer. */
export function reportEnd(attempt: ReportedAttempt, error: Error | undefined): void {
  attempt.isReported = true
  const { guard, load } = attempt.origin
  if (guard === undefined) return
  const now = load.clock.now()
  // Neither a connection that died idle nor one that goes away says anything of the host's health.
  const isFailure = error !== undefined && isTransient(error) && !isConnectionEnd(attempt, error)
  if (isFailure) guard.failed(now, attempt.era)
  else guard.ignored(now, attempt.era)
  const tookTime = error instanceof HttpTimeoutError || error instanceof SupersededError
  if (tookTime && attempt.controller !== null) guard.tookLonger(now - attempt.sentAt, now)
}
