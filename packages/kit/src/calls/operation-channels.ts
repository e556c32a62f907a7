import type { Channel } from 'node:diagnostics_channel'

// Imported, it would be a module with all its names, which the loader makes at each start. Benchmark case: cache "import".
const diagnostics = /* @__PURE__ */ process.getBuiltinModule('node:diagnostics_channel')

/**
 * The two diagnostics channels of one operation, `NAME:start` and `NAME:end`. Both carry the same message object, completed at the end
 * with `error` if it failed. Publishing by hand instead of `TracingChannel` keeps an operation without subscribers at two comparisons.
 */
export class OperationChannels<M extends { error?: unknown }> {
  declare readonly start: Channel<unknown, M>
  declare readonly end: Channel<unknown, M>

  /** @param name such as `millrace:cache:load` */
  constructor(name: string) {
    this.start = diagnostics.channel(`${name}:start`) as Channel<unknown, M>
    this.end = diagnostics.channel(`${name}:end`) as Channel<unknown, M>
  }

  /** Whether a message has to be made at all. */
  get hasSubscribers(): boolean {
    return this.start.hasSubscribers || this.end.hasSubscribers
  }
}

/**
 * Runs `operation` between the two messages, in the context that subscribers bind to the start channel, so that a tracer can make it
 * the parent of what happens inside. Call it only where `hasSubscribers` holds.
 *
 * @param settle completes the message before it is published on the end channel
 */
export function traceOperation<M extends { error?: unknown }, T>(
  { start, end }: OperationChannels<M>,
  message: M,
  operation: () => PromiseLike<T>,
  settle?: (message: M) => void,
): Promise<T> {
  return start.runStores(message, async () => {
    try {
      return await operation()
    } catch (error) {
      message.error = error
      throw error
    } finally {
      settle?.(message)
      end.publish(message)
    }
  })
}
