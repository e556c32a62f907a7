import { TieredCache } from '@millrace/cache-core/tiered'
import { startCluster } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { Cluster, Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RedisStore } from './redis-store.ts'

/** Calls that clients made, scripts' own commands not counted. */
async function calls(nodes: readonly Redis[]): Promise<number> {
  let count = 0
  for (const node of nodes) {
    const stats = await node.info('commandstats')
    for (const [, name, number] of stats.matchAll(/cmdstat_(\w+):calls=(\d+)/g)) {
      if (name === 'evalsha' || name === 'eval') count += Number(number)
    }
  }
  return count
}

/** How often the server found something to read, however many commands it was: that very question included. */
async function reads(node: Redis): Promise<number> {
  return Number(/total_reads_processed:(\d+)/.exec(await node.info('stats'))![1])
}

describeRedis('Round trips', redis => {
  let raw: Redis
  let store: RedisStore<string>
  let cache: TieredCache<string>
  beforeEach(async () => {
    raw = new Redis(redis.server.port)
    await raw.flushall()
    store = new RedisStore({ url: redis.server.url })
    cache = new TieredCache({ store, ttl: 60_000 })
    await store.ready()
    await store.set('there', 'value', { tags: ['t'] })
    await cache.set('held', 'value', { tags: ['t'] })
  })
  afterEach(async () => {
    await store.close()
    raw.disconnect()
  })

  const many = Array.from({ length: 100 }, (_, i) => `k${i}`)
  const operations: Record<string, [trips: number, () => Promise<unknown>]> = {
    'a hit of the first tier, with a tag': [0, () => cache.get('held')],
    'a hit of the store': [1, () => store.get('there')],
    'a miss, fence included': [1, () => store.lookup(['none'])],
    'a write': [1, () => store.set('there', 'new', { tags: ['t', 'u'] })],
    'a delete': [1, () => store.delete('there')],
    'an expire': [1, () => store.expire('there')],
    'a deleted tag': [1, () => store.deleteTag('t')],
    'a clear to stale': [1, () => store.clear({ expire: true })],
    'a hundred reads at once': [1, () => Promise.all(many.map(key => store.get(key)))],
    'a hundred reads by getMany': [1, () => store.getMany(many)],
    'a hundred writes by setMany': [
      1,
      () => store.setMany(many.map(key => ({ key, value: 'v', tags: ['t'] }))),
    ],
    'a load: one read and one write': [
      2,
      async () => {
        const { fence } = await store.lookup(['loaded'])
        expect(await store.set('loaded', 'value', { fence, tags: ['t'] })).toBe(true)
      },
    ],
  }
  test.each(Object.entries(operations))('%s', async (_, [trips, operation]) => {
    const before = await calls([raw])
    const counted = store.stats().trips
    await operation()
    expect((await calls([raw])) - before).toBe(trips)
    expect(store.stats().trips - counted).toBe(trips)
  })

  test('in a Cluster, a hundred reads are one write to each node, with one call per group of keys', async () => {
    await using cluster = await startCluster()
    const client = new Cluster(cluster.startupNodes)
    const shared = new RedisStore<string>({ client })
    await shared.setMany(many.map(key => ({ key, value: key })))
    const nodes = cluster.nodes.slice(0, 3).map(({ port }) => new Redis(port))
    const counts = () =>
      Promise.all(
        nodes.map(async node => ({ calls: await calls([node]), reads: await reads(node) })),
      )
    const seen: { calls: number; reads: number }[][] = []
    for (let round = 0; round < 10; round++) {
      const before = await counts()
      const entries = await shared.getMany(many)
      expect(entries.map(entry => entry?.value)).toEqual(many)
      const after = await counts()
      seen.push(
        after.map(({ calls, reads }, node) => ({
          calls: calls - before[node]!.calls,
          // Without the two questions themselves.
          reads: reads - before[node]!.reads - 2,
        })),
      )
    }
    for (const node of [0, 1, 2]) {
      const each = seen.map(round => round[node]!)
      // Sixteen groups on three nodes.
      expect(new Set(each.map(({ calls }) => calls)).size).toBe(1)
      expect([5, 6]).toContain(each[0]!.calls)
      // At times the server also hears of its replica.
      expect(Math.min(...each.map(({ reads }) => reads))).toBe(1)
    }
    const between = await calls(nodes)
    await shared.get('k1')
    await shared.set('k1', 'new', { tags: ['t'] })
    await shared.delete('k1')
    expect((await calls(nodes)) - between).toBe(3)
    for (const node of nodes) node.disconnect()
    client.disconnect()
  })
})
