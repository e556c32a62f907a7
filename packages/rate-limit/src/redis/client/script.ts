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

/** Whole numbers, and others as text. */
export type Reply = readonly (number | string)[]

/**
 * A Lua script that answers with numbers. A connection's first call brings its text along, so that none made after it
 * can overtake it; the others are sent by its hash, and anew by its text where the server has forgotten it.
 */
export class Script {
  readonly #text: string
  readonly #sha: string
  readonly #told = new WeakSet<RedisClient>()

  constructor(body: string) {
    this.#text = clock + body
    this.#sha = createHash('sha1').update(this.#text).digest('hex')
  }

  async run(
    client: RedisClient,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<Reply> {
    if (!this.#told.has(client)) {
      this.#told.add(client)
      return this.#runText(client, keys, args)
    }
    try {
      return (await client.evalsha(this.#sha, keys.length, ...keys, ...args)) as Reply
    } catch (error) {
      if (!(error instanceof Error && error.message.includes('NOSCRIPT'))) throw error
      return this.#runText(client, keys, args)
    }
  }

  async #runText(
    client: RedisClient,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<Reply> {
    return (await client.eval(this.#text, keys.length, ...keys, ...args)) as Reply
  }
}
