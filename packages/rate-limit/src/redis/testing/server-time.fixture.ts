import type { Redis } from 'ioredis'

/**
 * Moves what a limiter left in Redis as if the server's clock had been so far ahead when it was written: the doubles of the state at
 * `indexes`, and all scores of the sorted set beside it.
 */
export async function writtenAhead(
  client: Redis,
  ms: number,
  keys: { state: string; indexes: readonly number[]; set?: string },
): Promise<void> {
  const state = (await client.getBuffer(keys.state))!
  for (const index of keys.indexes) {
    state.writeDoubleBE(state.readDoubleBE(8 * index) + ms * 1_000, 8 * index)
  }
  await client.set(keys.state, state)
  if (keys.set === undefined) return
  const members = await client.zrange(keys.set, '0', '-1')
  for (const member of members) await client.zincrby(keys.set, ms * 1_000, member)
}
