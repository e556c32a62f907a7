import { OperationChannels } from '@millrace/kit'

/** One request over all its attempts; a redirect is another request. One object on both channels. */
export interface RequestMessage {
  readonly method: string
  /** `scheme://host:port`. */
  readonly origin: string
  /** Path and query. May hold user data. */
  readonly path: string
  /** On `end`. */
  statusCode?: number
  attempts?: number
  /** In ms, from the call to the last byte. */
  duration?: number
  error?: Error
}

/** How long each phase of an attempt took, in ms; absent if it did not come to it. */
export interface AttemptPhases {
  /** Waiting for a permit and a connection. */
  queue?: number
  /** Name lookup, TCP and TLS; 0 on a connection that was open. */
  connect?: number
  /** From the request's first byte to the response's head. */
  ttfb?: number
  /** From there to the last byte. */
  body?: number
}

/** One attempt of a request. One object on both channels. */
export interface AttemptMessage {
  readonly method: string
  readonly origin: string
  readonly path: string
  /** From 1. */
  readonly attempt: number
  /** Why it is made. */
  readonly reason: AttemptReason
  /** On `end`. */
  statusCode?: number
  reused?: boolean
  readonly phases: AttemptPhases
  error?: Error
}

/**
 * - `first`: the caller's request
 * - `retry`: after a failure or a status
 * - `resend`: after its reused connection turned out to be dead
 * - `hedge`: beside one that is slow
 */
export type AttemptReason = 'first' | 'retry' | 'resend' | 'hedge'

export const requestChannels: OperationChannels<RequestMessage> = new OperationChannels(
  'millrace:http:request',
)
export const attemptChannels: OperationChannels<AttemptMessage> = new OperationChannels(
  'millrace:http:attempt',
)
