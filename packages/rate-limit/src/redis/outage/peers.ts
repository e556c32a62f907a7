import { randomUUID } from 'node:crypto'
import type { Clock } from '../../clock.ts'
import type { StoreGuard } from '../client/store-guard.ts'
import { Script } from '../scripts/script.ts'

/** How often a process has itself counted, in ms. */
const INTERVAL = 1_000

/** After so long without a word a process no longer counts, in us. */
export const PEER_MEMORY = 3_000_000

/**
 * Lua: enters a process among those that share a limit, a sorted set by the time of its last word, and counts them. Words
 * from the future were said before the server's clock was set back; who lives says another within a second.
 */
export const countPeers = `
local function count(key, process, memory)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - memory)
  redis.call('ZREMRANGEBYSCORE', key, '(' .. string.format('%.0f', now), '+inf')
  redis.call('ZADD', key, now, process)
  redis.call('PEXPIRE', key, math.ceil(memory / 1000))
  return redis.call('ZCARD', key)
end
`

/** Keys: peers. Arguments: process, us after which a silent one no longer counts. Answers { processes }. */
const countScript: Script = new Script(`${countPeers}
return { count(KEYS[1], ARGV[1], tonumber(ARGV[2])) }
`)

/** The processes that share a limit, counted in the store while it is there: their number divides it when it is not. */
export class Peers {
  /** What this process is called in the store. */
  readonly identity: string = randomUUID()
  readonly key: string
  readonly #guard: StoreGuard
  readonly #clock: Clock
  #countedAt = -Infinity
  /** As known last, this one included. */
  count: number

  constructor(key: string, guard: StoreGuard, clock: Clock, expected: number) {
    this.key = key
    this.#guard = guard
    this.#clock = clock
    this.count = expected
  }

  /** Notes what a script has answered that counted on the way. */
  note(count: number): void {
    this.count = count
    this.#countedAt = this.#clock.now()
  }

  /** Has this process counted in the background, at most once a second. */
  refresh(): void {
    const now = this.#clock.now()
    if (now - this.#countedAt < INTERVAL) return
    this.#countedAt = now
    const note = ([count]: number[]) => this.note(count!)
    // A late answer is as true.
    this.#guard.run(countScript, [this.key], [this.identity, PEER_MEMORY], note).then(
      note,
      // Not counted this time; the call that asked for it meets the same outage and deals with it.
      () => {},
    )
  }
}
