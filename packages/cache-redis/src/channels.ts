import { type Channel, channel } from 'node:diagnostics_channel'

/** What the channels `millrace:redis:command:start` and `…:end` carry, the same object on both. */
export interface CommandMessage {
  /** The store's operation, such as `get`. */
  readonly operation: string
  /** How many keys it concerns. */
  readonly keys: number
  /** On `end` only, if the operation failed. */
  error?: unknown
}

const start: Channel = channel('millrace:redis:command:start')
const end: Channel = channel('millrace:redis:command:end')

/** Runs an operation and publishes its start and end; without subscribers, at the cost of two comparisons. */
export function traced<T>(operation: string, keys: number, run: () => Promise<T>): Promise<T> {
  if (!start.hasSubscribers && !end.hasSubscribers) return run()
  const message: CommandMessage = { operation, keys }
  return start.runStores(message, async () => {
    try {
      return await run()
    } catch (error) {
      message.error = error
      throw error
    } finally {
      end.publish(message)
    }
  })
}
