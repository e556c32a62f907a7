import { setTimeout as sleep } from 'node:timers/promises'
import { storeContract } from '@millrace/cache-core/store-contract'
import { TieredCache } from '@millrace/cache-core/tiered'
import { type RedisCluster, runs, startCluster } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { Cluster, Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { collect } from '../testing/collect.fixture.ts'
import { PATIENT, PATIENT_TIERS } from '../testing/patience.fixture.ts'
import { calls, reads } from '../testing/server-counts.fixture.ts'
import { RedisStore } from './redis-store.ts'

let prefixes = 0

describeRedis('RedisStore on a Cluster', () => {
  let cluster: RedisCluster
  let client: Cluster
  beforeAll(async () => {
    cluster = await startCluster()
    client = new Cluster(cluster.startupNodes)
  })
  afterAll(async () => {
    client.disconnect()
    await cluster.stop()
  })

  storeContract('RedisStore', {
    runner: { describe, test },
    modelRuns: runs(5),
    open: async () => {
      const prefix = `contract-${prefixes++}`
      const store = new RedisStore({ ...PATIENT, client, prefix })
      return {
        store,
        // Only real time moves the servers' clocks, by which they expire keys.
        advance: ms => sleep(ms),
        peer: async () => new RedisStore({ ...PATIENT, client, prefix }),
        remove: () => store.close(),
      }
    },
  })

  test('a hundred reads are one write to each node, with one call per group of keys', async () => {
    const many = Array.from({ length: 100 }, (_, i) => `k${i}`)
    const shared = new RedisStore<string>({ ...PATIENT, client, prefix: 'trips' })
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
  })

  test('a client that is still connecting, lazy or reads from replicas finds everything', async () => {
    const prefix = 'clients'
    const seed = new RedisStore<string>({ ...PATIENT, client, prefix })
    await seed.set('user:1', 'old')
    for (const options of [{}, { lazyConnect: true }, { scaleReads: 'slave' as const }]) {
      const other = new Cluster(cluster.startupNodes, options)
      const store = new RedisStore<string>({ ...PATIENT, client: other, prefix })
      expect(await collect(store.keys())).toEqual(['user:1'])
      for (let i = 0; i < 20; i++) {
        await seed.set('user:1', `${i}`)
        expect((await store.get('user:1'))?.value).toBe(`${i}`)
      }
      other.disconnect()
    }
    const other = new Cluster(cluster.startupNodes)
    const store = new RedisStore<string>({ ...PATIENT, client: other, prefix })
    await new TieredCache<string>({ ...PATIENT_TIERS, store }).deleteMatching('user:*')
    expect(await seed.get('user:1')).toBeUndefined()
    other.disconnect()
  })
})
