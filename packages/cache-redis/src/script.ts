import { createHash } from 'node:crypto'
import type { Client } from './client.ts'

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
  async run(
    client: Client,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
  ): Promise<unknown> {
    try {
      return await client.evalsha(this.#digest, keys.length, ...keys, ...args)
    } catch (error) {
      if (!(error as Error).message.startsWith('NOSCRIPT')) throw error
      return client.eval(this.#source, keys.length, ...keys, ...args)
    }
  }
}
