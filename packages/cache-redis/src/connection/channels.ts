import { OperationChannels, traceOperation } from '@millrace/kit'

/** What the channels `millrace:redis:command:start` and `…:end` carry, the same object on both. */
export interface CommandMessage {
  /** The store's operation, such as `get`. */
  readonly operation: string
  /** How many keys it concerns. */
  readonly keys: number
  /** On `end` only, if the operation failed. */
  error?: unknown
}

const channels = new OperationChannels<CommandMessage>('millrace:redis:command')

/** Whether anything subscribes to operations. Hot paths ask first, as {@link traced} costs a closure. */
export function isTraced(): boolean {
  return channels.hasSubscribers
}

/** Runs an operation and publishes its start and end; without subscribers, at the cost of two comparisons. */
export function traced<T>(operation: string, keys: number, run: () => Promise<T>): Promise<T> {
  return channels.hasSubscribers ? traceOperation(channels, { operation, keys }, run) : run()
}
