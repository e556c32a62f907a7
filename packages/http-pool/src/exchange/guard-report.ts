import { HttpTimeoutError, SupersededError } from '../errors.ts'
import type { Headers } from '../handler.ts'
import { isTransient } from '../retry/transient-errors.ts'
import type { Attempt } from './attempt.ts'
import { diedIdle } from './repeat-rules.ts'

// The host's guard has admitted each attempt and is told its outcome, exactly once.

/** The head of a response has come. */
export function reportAnswer(
  attempt: Attempt,
  statusCode: number,
  headers: Headers,
  isRetryable: boolean,
): void {
  attempt.isReported = true
  const { guard, core } = attempt.origin
  if (guard === undefined) return
  const now = core.clock.now()
  guard.answered(statusCode, headers, isRetryable, now - attempt.sentAt, now, attempt.era)
}

/** The attempt has ended before it had an answer. */
export function reportEnd(attempt: Attempt, error: Error | undefined): void {
  attempt.isReported = true
  const { guard, core } = attempt.origin
  if (guard === undefined) return
  const now = core.clock.now()
  // A connection that died idle says nothing of the host's health.
  const isFailure = error !== undefined && isTransient(error) && !diedIdle(attempt, error)
  if (isFailure) guard.failed(now, attempt.era)
  else guard.ignored(now, attempt.era)
  const tookTime = error instanceof HttpTimeoutError || error instanceof SupersededError
  if (tookTime && attempt.controller !== null) guard.tookLonger(now - attempt.sentAt, now)
}
