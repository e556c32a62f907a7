import type { AsyncResource } from 'node:async_hooks'
import type { Duplex } from 'node:stream'
import type { HttpTimeoutError } from '../errors.ts'
import type { Controller, Handler, ResponseHeaders } from '../handler.ts'
import type { CallPolicy } from '../request/call-policy.ts'

/** The exchange, as its attempts see it. */
export interface AttemptOwner<Attempt> extends AsyncResource {
  readonly policy: CallPolicy
  readonly downstream: Handler
  /** When the caller's time is over, by the pool's clock. */
  readonly totalDeadline: number
  totalTimeoutError(): HttpTimeoutError
  /** Sees to it that the attempt's deadline is looked at by then. */
  watch(deadline: number): void
  /** It is on the wire. */
  onAttemptSent(attempt: Attempt): void
  /** The head of its final response has come. */
  onAttemptHeaders(
    attempt: Attempt,
    controller: Controller,
    statusCode: number,
    headers: ResponseHeaders,
    statusMessage: string | undefined,
  ): void
  onAttemptInterim(
    statusCode: number,
    headers: ResponseHeaders,
    statusMessage: string | undefined,
  ): void
  onAttemptData(chunk: Buffer): void
  onAttemptEnd(trailers: ResponseHeaders): void
  onAttemptUpgrade(
    attempt: Attempt,
    controller: Controller,
    statusCode: number,
    headers: ResponseHeaders,
    socket: Duplex,
  ): void
  /** It has failed, before its end or in it. */
  onAttemptError(attempt: Attempt, error: Error): void
}
