import { createHash } from 'node:crypto'
import type { ClusterOptions, RedisOptions } from 'ioredis'
import type { Client } from '../connection/client.ts'

export type ScriptArgument = string | number | Buffer

/** Whether a client was told to hand numbers on as strings, for the sake of large ones. */
function hasStringNumbers({ options }: Client): boolean {
  const { stringNumbers, redisOptions } = options as RedisOptions & ClusterOptions
  return (stringNumbers ?? redisOptions?.stringNumbers) === true
}

/** Numbers again, where a client hands them on as strings: everything else that is one comes as a Buffer. */
function withNumbers(reply: unknown): unknown {
  if (typeof reply === 'string') return Number(reply)
  return Array.isArray(reply) ? reply.map(withNumbers) : reply
}

/** What ioredis has, but does not declare. */
interface BytesCommands {
  evalshaBuffer(digest: string, keys: number, ...args: readonly unknown[]): Promise<unknown>
  evalBuffer(source: string, keys: number, ...args: readonly unknown[]): Promise<unknown>
}

/**
 * A Lua script, run by its digest and sent whole only to a server that does not know it yet. Not by ioredis'
 * `defineCommand`, which would add methods to a client that belongs to the application.
 */
export class Script {
  readonly #source: string
  readonly #digest: string

  constructor(source: string) {
    this.#source = source
    this.#digest = createHash('sha1').update(source).digest('hex')
  }

  /**
   * Strings in the reply are Buffers, numbers are numbers. All keys must lie in one slot.
   *
   * @param onUnknown may change the arguments before the script is sent whole, as the server, perhaps another one, does not know it
   */
  async run(
    client: Client,
    keys: readonly string[],
    args: readonly ScriptArgument[],
    onUnknown?: () => void,
  ): Promise<unknown> {
    const { evalshaBuffer, evalBuffer } = client as unknown as BytesCommands
    let reply: unknown
    try {
      reply = await evalshaBuffer.call(client, this.#digest, keys.length, keys, args)
    } catch (error) {
      if (!(error as Error).message.startsWith('NOSCRIPT')) throw error
      onUnknown?.()
      reply = await evalBuffer.call(client, this.#source, keys.length, keys, args)
    }
    return hasStringNumbers(client) ? withNumbers(reply) : reply
  }
}
