import { randomUUID } from 'node:crypto'
import type { Clock } from '@millrace/kit'
import type { StoreGuard } from '../client/store-guard.ts'
import { type Reply, Script } from '../scripts/script.ts'

/** How often a process has itself counted, in ms. */
const INTERVAL = 1_000

/** The same at first, and for how long: processes that start together soon know of each other. */
const EAGER_INTERVAL = 100
const EAGER = 3_000

/** After so long without a word a process no longer counts, in us. */
const PEER_MEMORY = 3_000_000

/**
 * Enters a process among those that share a limit, a sorted set by the time of its last word, and counts them. Words from the
 * future were said before the server's clock was set back; what lives says another within a second.
 * Keys: peers. Arguments: process, us after which a silent one no longer counts. Answers { processes }.
 */
const countScript: Script = new Script(`
local memory = tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - memory)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now), '+inf')
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.ceil(memory / 1000))
return { redis.call('ZCARD', KEYS[1]) }
`)

/** The processes that share a limit, counted in the store while it is there: their number divides it when it is not. */
export class Peers {
  /** What this process is called in the store. */
  readonly identity: string = randomUUID()
  readonly key: string
  readonly #guard: StoreGuard
  readonly #clock: Clock
  #countedAt = -Infinity
  /** When it was first heard of. */
  #since: number | undefined = undefined
  /** As known last, this one included. */
  count: number

  constructor(key: string, guard: StoreGuard, clock: Clock, expected: number) {
    this.key = key
    this.#guard = guard
    this.#clock = clock
    this.count = expected
  }

  /**
   * Has this process counted, some times a second at first and once a second then.
   *
   * @returns the first count; later ones are made in the background
   */
  refresh(): Promise<void> | undefined {
    const now = this.#clock.now()
    this.#since ??= now
    const interval = now - this.#since < EAGER ? EAGER_INTERVAL : INTERVAL
    if (now - this.#countedAt < interval) return undefined
    this.#countedAt = now
    const note = ([count]: Reply) => {
      this.count = Number(count)
    }
    // A late answer is as true.
    const first = this.#since === now
    const counted = this.#guard
      .run(countScript, [this.key], [this.identity, PEER_MEMORY], note)
      .then(
        note,
        // Not counted this time; the call that asked for it meets the same outage and deals with it.
        () => {},
      )
    return first ? counted : undefined
  }
}
