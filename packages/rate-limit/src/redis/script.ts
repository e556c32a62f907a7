import { createHash } from 'node:crypto'
import type { RedisClient } from './redis-client.ts'

/**
 * Reads the server's clock, in microseconds since the epoch of the limiter: small enough that a double leaves it three
 * decimals. The clients' clocks are never used, so they need not agree.
 */
const clock = `
local time = redis.call('TIME')
local now = (time[1] - 1700000000) * 1000000 + time[2]
`

/** A Lua script that answers with whole numbers; sent by its hash, and by its text when the server does not know it. */
export class Script {
  readonly #text: string
  readonly #sha: string

  constructor(body: string) {
    this.#text = clock + body
    this.#sha = createHash('sha1').update(this.#text).digest('hex')
  }

  async run(
    client: RedisClient,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<number[]> {
    try {
      return (await client.evalsha(this.#sha, keys.length, ...keys, ...args)) as number[]
    } catch (error) {
      if (!(error instanceof Error && error.message.includes('NOSCRIPT'))) throw error
      return (await client.eval(this.#text, keys.length, ...keys, ...args)) as number[]
    }
  }
}
