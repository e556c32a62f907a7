import { randomUUID } from 'node:crypto'
import { startCluster } from '@millrace/testkit'
import { inRealTime } from '@millrace/testkit/vitest'
import { Cluster } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clusterNodeOf } from '../client/cluster-node.ts'
import {
  RedisKeyedLimiter,
  RedisSemaphore,
  RedisSlidingWindow,
  RedisTokenBucket,
} from './tracked.fixture.ts'

const suite = process.env.MILLRACE_SKIP_REDIS === '1' ? describe.skip : describe

suite('on a Redis Cluster', inRealTime(), () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>
  let client: Cluster
  let subscriber: Cluster
  beforeAll(async () => {
    cluster = await startCluster()
    client = new Cluster(cluster.startupNodes)
    subscriber = new Cluster(cluster.startupNodes)
    await Promise.all([client.ping(), subscriber.ping()])
  })
  afterAll(async () => {
    client?.disconnect()
    subscriber?.disconnect()
    await cluster?.stop()
  })

  test('buckets, leases and counts of processes stay in one slot', async () => {
    for (let i = 0; i < 10; i++) {
      const options = { client, id: randomUUID(), rate: 1_000, burst: 10, timeout: 5_000 }
      const bucket = new RedisTokenBucket({ ...options, leaseTtl: 100 })
      await Promise.all(Array.from({ length: 40 }, () => bucket.acquire()))
      expect(bucket.stats()).toMatchObject({ granted: 40, unavailable: 0 })
      await bucket[Symbol.asyncDispose]()
    }
  })

  test('which node has a key is told by its braces, as Redis does', async () => {
    const keys = ['', 'a', '{a}b', 'x{a}{b}', '{}a', '{a', 'a}', 'ü{☃}', 'millrace:{😀}:clock']
    for (const key of keys) {
      const slot = Number(await client.cluster('KEYSLOT', key))
      expect(clusterNodeOf(client, key)).toBe(client.slots[slot]![0])
    }
    expect(clusterNodeOf(client.nodes('master')[0]!, 'a')).toBe('')
  })

  test('keys spread over the nodes', async () => {
    const limiter = new RedisKeyedLimiter({
      client,
      id: 'api',
      rate: 0.01,
      burst: 1,
      timeout: 5_000,
    })
    const keys = Array.from({ length: 60 }, (_, i) => `user ${i}`)
    expect((await Promise.all(keys.map(key => limiter.tryAcquire(key)))).every(Boolean)).toBe(true)
    expect((await Promise.all(keys.map(key => limiter.tryAcquire(key)))).some(Boolean)).toBe(false)
    const sizes = await Promise.all(client.nodes('master').map(node => node.dbsize()))
    expect(Math.min(...sizes)).toBeGreaterThan(0)
  })

  test('windows and semaphores work, wake-ups included', async () => {
    const window = new RedisSlidingWindow({
      client,
      id: 'w',
      limit: 2,
      window: 50,
      timeout: 5_000,
    })
    for (let i = 0; i < 3; i++) await window.acquire()
    expect(window.stats().granted).toBe(3)
    const options = { client, subscriber, id: 's', permits: 1, poll: 60_000, timeout: 5_000 }
    const [a, b] = [new RedisSemaphore(options), new RedisSemaphore(options)]
    const held = await a.acquire()
    const waiting = b.acquire()
    await expect(b.tryAcquire()).resolves.toBeUndefined()
    await held.release()
    await (await waiting).release()
  })

  // Last, as it leaves the cluster with a node less.
  test('a fail-over is an outage: shares pass, and the new primary is told of them', async () => {
    const id = randomUUID()
    const shared = { client, id, timeout: 200, breaker: { cooldown: 20 }, processes: 1 }
    const bucket = new RedisTokenBucket({ ...shared, rate: 0.001, burst: 6 })
    const window = new RedisSlidingWindow({ ...shared, limit: 6, window: 600_000 })
    const semaphore = new RedisSemaphore({ ...shared, permits: 6, whenDown: 'local' })
    const keyed = new RedisKeyedLimiter({ ...shared, rate: 0.001, burst: 6 })
    const slot = Number(await client.cluster('KEYSLOT', `{${id}}`))
    type Range = [first: number, last: number, primary: [host: string, port: number]]
    const ranges = (await client.cluster('SLOTS')) as unknown as Range[]
    const [, , [, port]] = ranges.find(([first, last]) => first <= slot && slot <= last)!
    await cluster.kill(cluster.nodes.find(node => node.port === port)!)

    expect(await bucket.tryAcquire(2)).toBe(true)
    expect(await window.tryAcquire(2)).toBe(true)
    // The key of that name lies on the node that is gone; others are asked of the rest.
    expect(await keyed.tryAcquire(id, 2)).toBe(true)
    const permits = [await semaphore.tryAcquire(), await semaphore.tryAcquire()]
    expect(permits.map(permit => permit?.fence)).toEqual([0, 0])
    const limiters = [bucket, window, keyed, semaphore]
    expect(limiters.map(limiter => limiter.stats().unsettled)).toEqual([2, 2, 2, 2])

    while (limiters.some(limiter => limiter.stats().unsettled > 0)) {
      await new Promise(resolve => setImmediate(resolve))
    }
    const well = { client, id, timeout: 5_000, whenDown: 'closed' } as const
    const other = new RedisTokenBucket({ ...well, rate: 0.001, burst: 6 })
    expect((await other.decide(0)).remaining).toBeLessThan(5)
    const otherKeyed = new RedisKeyedLimiter({ ...well, rate: 0.001, burst: 6 })
    expect((await otherKeyed.decide(id, 0)).remaining).toBeLessThan(5)
    const others = new RedisSemaphore({ ...well, permits: 6 })
    let entered = 0
    // What entered with a call that was sent again leaves as soon as its answer has come.
    while (entered < 4) if ((await others.tryAcquire()) !== undefined) entered++
    expect(await others.tryAcquire()).toBeUndefined()
    // A limiter that is left behind goes on beside other tests, under their clocks.
    const all = [bucket, window, keyed, semaphore, other, otherKeyed, others]
    await Promise.all(all.map(limiter => limiter.close()))
  })
})
