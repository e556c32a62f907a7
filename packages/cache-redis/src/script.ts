import { createHash } from 'node:crypto'
import type { Client } from './client.ts'

type Argument = string | number | Buffer

/** What ioredis has, but does not declare. */
interface BytesCommands {
  evalshaBuffer(digest: string, keys: number, ...args: Argument[]): Promise<unknown>
  evalBuffer(source: string, keys: number, ...args: Argument[]): Promise<unknown>
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

  /** All keys must lie in one slot. */
  async run(client: Client, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    try {
      return await client.evalsha(this.#digest, keys.length, ...keys, ...args)
    } catch (error) {
      if (!isUnknown(error)) throw error
      return client.eval(this.#source, keys.length, ...keys, ...args)
    }
  }

  /** As {@link run}, for scripts without arguments whose reply has bytes. */
  async runForBytes(client: Client, keys: readonly string[]): Promise<unknown> {
    const { evalshaBuffer, evalBuffer } = client as unknown as BytesCommands
    try {
      return await evalshaBuffer.call(client, this.#digest, keys.length, ...keys)
    } catch (error) {
      if (!isUnknown(error)) throw error
      return evalBuffer.call(client, this.#source, keys.length, ...keys)
    }
  }
}

function isUnknown(error: unknown): boolean {
  return (error as Error).message.startsWith('NOSCRIPT')
}
