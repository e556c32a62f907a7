import { randomUUID } from 'node:crypto'
import { RedisServer } from '@millrace/testkit'
import { Cluster } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RedisKeyedLimiter } from './redis-keyed-limiter.ts'
import { RedisSemaphore } from './redis-semaphore.ts'
import { RedisSlidingWindow } from './redis-sliding-window.ts'
import { RedisTokenBucket } from './redis-token-bucket.ts'

const suite = process.env.MILLRACE_SKIP_REDIS === '1' ? describe.skip : describe

suite('on a Redis Cluster', () => {
  let cluster: Awaited<ReturnType<typeof RedisServer.cluster>>
  let client: Cluster
  let subscriber: Cluster
  beforeAll(async () => {
    cluster = await RedisServer.cluster()
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
      const options = { client, id: randomUUID(), rate: 1_000, burst: 10, deadline: 5_000 }
      const bucket = new RedisTokenBucket({ ...options, lease: 100 })
      await Promise.all(Array.from({ length: 40 }, () => bucket.acquire()))
      expect(bucket.stats()).toMatchObject({ granted: 40, unavailable: 0 })
      await bucket[Symbol.asyncDispose]()
    }
  })

  test('keys spread over the nodes', async () => {
    const limiter = new RedisKeyedLimiter({
      client,
      id: 'api',
      rate: 0.01,
      burst: 1,
      deadline: 5_000,
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
      deadline: 5_000,
    })
    for (let i = 0; i < 3; i++) await window.acquire()
    expect(window.stats().granted).toBe(3)
    const options = { client, subscriber, id: 's', permits: 1, poll: 60_000, deadline: 5_000 }
    const [a, b] = [new RedisSemaphore(options), new RedisSemaphore(options)]
    const held = await a.acquire()
    const waiting = b.acquire()
    await expect(b.tryAcquire()).resolves.toBeUndefined()
    await held.release()
    await (await waiting).release()
  })
})
