import { createHash } from 'node:crypto'
import type { Client } from '../connection/client.ts'

export type ScriptArgument = string | number | Buffer

/** What a call of a script may turn out to need. */
export interface ScriptHooks {
  /** The script is sent whole, as the server does not know it: it may be another one than before. */
  unknown(): void
  /** Whether the script must run once more, with arguments changed meanwhile. */
  repeat(reply: unknown): boolean
}

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

  /** Strings in the reply are Buffers. All keys must lie in one slot. */
  async run(
    client: Client,
    keys: readonly string[],
    args: readonly ScriptArgument[],
    hooks?: ScriptHooks,
  ): Promise<unknown> {
    const { evalshaBuffer, evalBuffer } = client as unknown as BytesCommands
    let reply: unknown
    try {
      reply = await evalshaBuffer.call(client, this.#digest, keys.length, keys, args)
    } catch (error) {
      if (!(error as Error).message.startsWith('NOSCRIPT')) throw error
      hooks?.unknown()
      reply = await evalBuffer.call(client, this.#source, keys.length, keys, args)
    }
    if (hooks?.repeat(reply) !== true) return reply
    return evalBuffer.call(client, this.#source, keys.length, keys, args)
  }
}
