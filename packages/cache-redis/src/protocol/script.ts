import { createHash } from 'node:crypto'
import type { Client } from '../connection/client.ts'

export type ScriptArgument = string | number | Buffer

/** What ioredis has, but does not declare. */
interface BytesCommands {
  evalshaBuffer(digest: string, keys: number, ...args: readonly unknown[]): Promise<unknown>
  evalBuffer(source: string, keys: number, ...args: readonly unknown[]): Promise<unknown>
}

/**
 * A Lua script, run by its digest and sent whole only to a server that does not know it yet. Not by ioredis'
 * `defineCommand`, which would add methods to a client that belongs to somebody else.
 */
export class Script {
  readonly #source: string
  readonly #digest: string

  constructor(source: string) {
    this.#source = source
    this.#digest = createHash('sha1').update(source).digest('hex')
  }

  /**
   * Strings in the reply are Buffers. All keys must lie in one slot.
   *
   * @param unknown called before the script is sent whole, as the server does not know it: it may be another one than before
   */
  async run(
    client: Client,
    keys: readonly string[],
    args: readonly ScriptArgument[],
    unknown?: () => void,
  ): Promise<unknown> {
    const { evalshaBuffer, evalBuffer } = client as unknown as BytesCommands
    try {
      return await evalshaBuffer.call(client, this.#digest, keys.length, keys, args)
    } catch (error) {
      if (!(error as Error).message.startsWith('NOSCRIPT')) throw error
      unknown?.()
      return evalBuffer.call(client, this.#source, keys.length, keys, args)
    }
  }
}
