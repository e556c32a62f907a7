import { type Channel, channel } from 'node:diagnostics_channel'

/** What both channels of an operation publish: one object, completed at the end. */
export interface LimitMessage {
  /** The limiter's `name`. */
  readonly limiter: string
  /** Permits asked for. */
  readonly cost: number
  readonly priority?: number
  /** In ms: on `wait:end`, how long it took; on `refuse`, when to come again. */
  waited?: number
  retryAfter?: number
  /** On `end`, why no permit was given. */
  error?: unknown
}

/** The two channels of one operation. */
interface OperationChannels {
  readonly start: Channel
  readonly end: Channel
}

function operation(name: string): OperationChannels {
  return { start: channel(`${name}:start`), end: channel(`${name}:end`) }
}

/** A caller waits for a permit. */
const waitChannels: OperationChannels = operation('millrace:limit:wait')

/** A caller is refused at once: both channels are published one after the other. */
const refuseChannels: OperationChannels = operation('millrace:limit:refuse')

export function hasRefusalSubscribers(): boolean {
  return refuseChannels.start.hasSubscribers || refuseChannels.end.hasSubscribers
}

/** Tells subscribers, if there are any, of a refusal. */
export function publishRefusal(
  limiter: string,
  cost: number,
  retryAfter: number,
  error?: unknown,
): void {
  if (!hasRefusalSubscribers()) return
  const message: LimitMessage = { limiter, cost, retryAfter }
  if (error !== undefined) message.error = error
  refuseChannels.start.publish(message)
  refuseChannels.end.publish(message)
}

/** Runs `wait` as one published operation when somebody listens. */
export function publishWait<T>(
  limiter: string,
  cost: number,
  priority: number,
  clock: { now(): number },
  wait: () => Promise<T>,
): Promise<T> {
  const { start, end } = waitChannels
  if (!start.hasSubscribers && !end.hasSubscribers) return wait()
  const message: LimitMessage = { limiter, cost, priority }
  const since = clock.now()
  const promise = start.runStores(message, wait)
  const finish = (error?: unknown) => {
    message.waited = clock.now() - since
    if (error !== undefined) message.error = error
    end.publish(message)
  }
  promise.then(() => finish(), finish)
  return promise
}
