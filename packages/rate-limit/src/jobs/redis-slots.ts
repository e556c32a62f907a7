import type Bottleneck from 'bottleneck'
import { takeRegistration } from './shared-connection.ts'

/** What is used of bottleneck 2.19.5 beyond its published type. */
interface Internals {
  readonly _store: {
    readonly originalId: string
    readonly connection: Bottleneck.IORedisConnection & {
      readonly client: { eval(script: string, keys: number, ...args: unknown[]): Promise<unknown> }
    }
  }
}

/**
 * Undoes what bottleneck has entered for a start that was let through ahead of its time. Keys: settings. Arguments: its slot, when it was
 * registered, its weight. The last slot of all is free again; the reservoir has its part back unless it was refilled since.
 * Answers { 1 if the slot is free again, 1 if the reservoir has its part back }.
 */
const RELEASE = `
local kept = redis.call('HMGET', KEYS[1], 'nextRequest', 'minTime', 'reservoir', 'lastReservoirRefresh', 'lastReservoirIncrease')
local slot, since, weight = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local following, minTime = tonumber(kept[1]), tonumber(kept[2])
local freed, refilled = 0, 0
if following and math.abs(following - slot - minTime) < 1 then
  redis.call('HSET', KEYS[1], 'nextRequest', ARGV[1])
  freed = 1
end
if weight > 0 and tonumber(kept[3]) and (tonumber(kept[4]) or 0) <= since and (tonumber(kept[5]) or 0) <= since then
  redis.call('HINCRBY', KEYS[1], 'reservoir', weight)
  refilled = 1
end
return { freed, refilled }
`

/** The slots and the reservoir of a clustered limiter, which all processes count in Redis. */
export class RedisSlots {
  readonly #limiter: Bottleneck
  readonly #store: Internals['_store']

  constructor(limiter: Bottleneck) {
    this.#limiter = limiter
    this.#store = (limiter as unknown as Internals)._store
  }

  /** When bottleneck asked Redis for a start, ms of `Date.now()`, by which Redis counts slots; asked once. */
  registered(index: string): number {
    return takeRegistration(this.#store.connection, index) ?? Number.NaN
  }

  /**
   * Gives back the slot and the part of the reservoir of a start that was taken out. What Redis does not hear of is lost: others wait a
   * slot longer.
   *
   * @param slot which is free, ms of `Date.now()`
   * @param since when the start was registered
   * @returns whether Redis gives the slot to the next caller of any process
   */
  async release(slot: number, since: number, weight: number): Promise<boolean> {
    const { connection, originalId } = this.#store
    const key = `b_${originalId}_settings`
    const answer = await connection.client.eval(RELEASE, 1, key, slot, since, weight)
    const [freed, refilled] = answer as [number, number]
    // Adds nothing, and tells those that wait for the reservoir.
    if (refilled === 1) await this.#limiter.incrementReservoir(0)
    return freed === 1
  }
}
