import { type Channel, channel } from 'node:diagnostics_channel'

/** What the channels `millrace:files:parse:start` and `…:end` carry, the same object on both. */
export interface ParseMessage {
  /** The cache's `id`. */
  readonly parser: string
  /** Absolute path of the file. */
  readonly path: string
  /** Size of the source in bytes. */
  readonly bytes: number
  /** On `end` only, if the parser threw. */
  error?: unknown
}

const start: Channel = channel('millrace:files:parse:start')
const end: Channel = channel('millrace:files:parse:end')

/** Runs a parse and publishes its start and end; without subscribers, at the cost of two comparisons. */
export function tracedParse<T>(message: ParseMessage, run: () => Promise<T>): Promise<T> {
  if (!start.hasSubscribers && !end.hasSubscribers) return run()
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
