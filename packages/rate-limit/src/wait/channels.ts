import { OperationChannels, traceOperation } from '@millrace/kit'

/** What both channels of an operation publish: one object, completed at the end. */
export interface LimitMessage {
  /** The limiter's `name`. */
  readonly limiter: string
  /** Permits asked for. */
  readonly cost: number
  readonly priority?: number | undefined
  /** In ms: on `wait:end`, how long it took; on `refuse`, when to come again. */
  waited?: number | undefined
  retryAfter?: number | undefined
  /** On `end`, why no permit was given. */
  error?: unknown
}

/** A call waits for a permit. */
const waitChannels = new OperationChannels<LimitMessage>('millrace:limit:wait')

/** A call is refused at once: both channels are published one after the other. */
const refuseChannels = new OperationChannels<LimitMessage>('millrace:limit:refuse')

export function hasRefusalSubscribers(): boolean {
  return refuseChannels.hasSubscribers
}

/** Tells subscribers, if there are any, of a refusal. */
export function publishRefusal(
  limiter: string,
  cost: number,
  retryAfter: number,
  error?: unknown,
): void {
  if (!refuseChannels.hasSubscribers) return
  const message: LimitMessage = { limiter, cost, retryAfter }
  if (error !== undefined) message.error = error
  refuseChannels.start.publish(message)
  refuseChannels.end.publish(message)
}

export function hasWaitSubscribers(): boolean {
  return waitChannels.hasSubscribers
}

/** Runs `wait` as one published operation. */
export function publishWait<T>(
  limiter: string,
  cost: number,
  priority: number,
  clock: { now(): number },
  wait: () => Promise<T>,
): Promise<T> {
  const since = clock.now()
  return traceOperation(waitChannels, { limiter, cost, priority }, wait, message => {
    message.waited = clock.now() - since
  })
}
