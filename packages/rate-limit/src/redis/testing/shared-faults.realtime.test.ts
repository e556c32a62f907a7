import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { FaultProxy } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import type { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { worstExcess } from '../../testing/worst-excess.fixture.ts'
import { RedisKeyedLimiter } from '../buckets/redis-keyed-limiter.ts'
import { RedisTokenBucket, type RedisTokenBucketOptions } from '../buckets/redis-token-bucket.ts'
import { RedisKeyedSemaphore } from '../semaphores/redis-keyed-semaphore.ts'
import { RedisSemaphore } from '../semaphores/redis-semaphore.ts'
import { RedisKeyedWindow } from '../windows/redis-keyed-window.ts'
import { RedisSlidingWindow } from '../windows/redis-sliding-window.ts'
import { connections } from './connections.fixture.ts'
import { Standstill } from './standstill.fixture.ts'

/** These run on the real clock, as Redis does; bounds are for what passed, however late a busy machine makes it. */
describeRedis('processes that disagree, die, and lose their store', redis => {
  const connect = connections()
  let admin: Redis
  const open: AsyncDisposable[] = []
  const warnings: (Error & { code?: string })[] = []
  const onWarning = (warning: Error) => void warnings.push(warning)
  beforeEach(async () => {
    admin = await connect(redis.server.port)
    await admin.flushall()
    warnings.length = 0
    process.on('warning', onWarning)
  })
  afterEach(async () => {
    process.off('warning', onWarning)
    for (const limiter of open.splice(0)) await limiter[Symbol.asyncDispose]()
    const keys = await admin.keys('*')
    const lives = await Promise.all(keys.map(async key => [key, await admin.pttl(key)] as const))
    expect(lives.filter(([, left]) => left === -1)).toEqual([])
  })

  const track = <L extends AsyncDisposable>(limiter: L): L => {
    open.push(limiter)
    return limiter
  }

  async function bucket(id: string, options: Partial<RedisTokenBucketOptions>) {
    const client = await connect(redis.server.port)
    return track(
      new RedisTokenBucket({ client, id, rate: 100, burst: 1, timeout: 5_000, ...options }),
    )
  }

  /** Calls without end until the time is over, and at least so many have passed; what passed with its time. */
  function crowd(
    size: number,
    until: number,
    acquire: () => Promise<unknown>,
    flow: [number, number][],
    least = 0,
  ): Promise<void>[] {
    return Array.from({ length: size }, async () => {
      while (performance.now() < until || flow.length < least) {
        const passed = await acquire().then(
          value => value !== false,
          () => sleep(5).then(() => false),
        )
        if (passed) flow.push([performance.now(), 1])
      }
    })
  }

  /** Delivery of a grant may be late, which lets the next seem early: by as much, in ms, and by as much as the machine stood still. */
  const LATE = 300

  test('a shorter maxWait wipes no reservation of others', async () => {
    const id = randomUUID()
    const patient = await bucket(id, { rate: 20, maxWait: 60_000 })
    const hasty = await bucket(id, { rate: 20, maxWait: 500 })
    const flow: [number, number][] = []
    await using still = new Standstill(admin)
    const start = performance.now()
    const end = start + 1_500
    const calls = Array.from({ length: 60 }, () =>
      patient.acquire().then(() => void flow.push([performance.now(), 1])),
    )
    const all = Promise.allSettled(calls)
    await Promise.all(crowd(2, end, () => hasty.acquire(), flow))
    expect(worstExcess(flow, 1, 0.02)).toBeLessThanOrEqual(0.02 * (LATE + still.longest))
    // Lateness only takes from the whole.
    expect(flow.length).toBeLessThanOrEqual(1 + 0.02 * (performance.now() - start) + 1)
    await patient.close()
    await all
  })

  test('of two rates the one of the process that was started last rules, with a warning', async () => {
    const id = randomUUID()
    const old = await bucket(id, { rate: 1, burst: 5 })
    expect(await old.tryAcquire(5)).toBe(true)
    // A state lives as long as it takes to fill: longer than a busy machine may take between two calls.
    const fresh = await bucket(id, { rate: 50, burst: 100 })
    await fresh.decide(0)
    expect((await old.decide(0)).limit).toBe(100)
    const flow: [number, number][] = []
    await using still = new Standstill(admin)
    const end = performance.now() + 1_000
    const calls = [old, fresh].flatMap(one => crowd(3, end, () => one.tryAcquire(), flow, 21))
    await Promise.all(calls)
    expect(worstExcess(flow, 100, 0.05)).toBeLessThanOrEqual(0.05 * (LATE + still.longest))
    expect([old.stats().overruled, fresh.stats().overruled]).toEqual([1, 0])
    await sleep(0)
    const own = warnings.filter(({ code }) => code === 'MILLRACE_LIMIT_OVERRULED')
    expect(own.map(({ message }) => message)).toEqual([
      `Limit "${id}" follows the settings of a process that was started later: rate 50, burst 100`,
    ])
  })

  test('a shorter window forgets nothing of a longer one, and a lease of another ttl is its holder’s', async () => {
    const id = randomUUID()
    const shared = { client: admin, id, timeout: 5_000 }
    const long = track(new RedisSlidingWindow({ ...shared, limit: 5, window: 60_000 }))
    expect(await long.tryAcquire(5)).toBe(true)
    const again = track(new RedisSlidingWindow({ ...shared, limit: 5, window: 60_000 }))
    const short = track(new RedisSlidingWindow({ ...shared, id: `${id}2`, limit: 5, window: 100 }))
    await short.tryAcquire()
    expect(await again.tryAcquire()).toBe(false)

    const a = track(new RedisSemaphore({ ...shared, permits: 1, ttl: 30_000 }))
    const b = track(new RedisSemaphore({ ...shared, permits: 1, ttl: 300, poll: 20 }))
    const held = await a.acquire()
    await expect(b.acquire({ timeout: 1_000 })).rejects.toThrow('gave no permit')
    expect(held.signal.aborted).toBe(false)
    await held.release()
    const next = await b.acquire()
    expect(next.fence).toBeGreaterThan(held.fence)
    await next.release()
  })

  test('of two windows and of two numbers of permits those of the process that was started last rule', async () => {
    const id = randomUUID()
    const shared = { client: admin, id, timeout: 5_000 }
    const old = track(new RedisSlidingWindow({ ...shared, limit: 5, window: 60_000 }))
    expect(await old.tryAcquire(3)).toBe(true)
    const fresh = track(new RedisSlidingWindow({ ...shared, limit: 4, window: 30_000 }))
    expect(await fresh.tryAcquire(2)).toBe(false)
    expect(await old.decide()).toMatchObject({ allowed: true, limit: 4, remaining: 0 })
    expect([old.stats().overruled, fresh.stats().overruled]).toEqual([1, 0])

    const many = track(new RedisSemaphore({ ...shared, permits: 3, poll: 5 }))
    const held = [(await many.tryAcquire())!, (await many.tryAcquire())!]
    const few = track(new RedisSemaphore({ ...shared, permits: 2, poll: 5 }))
    expect(await few.tryAcquire()).toBeUndefined()
    expect(await many.tryAcquire()).toBeUndefined()
    await held.pop()!.release()
    await (await few.acquire()).release()
    expect([many.stats().overruled, few.stats().overruled]).toEqual([1, 0])
    await held.pop()!.release()
  })

  test('windows of two lengths, of two processes under load, hold the one that rules', async () => {
    const id = randomUUID()
    const shared = { id, timeout: 5_000 }
    const windows: RedisSlidingWindow[] = []
    for (const window of [100, 400]) {
      const client = await connect(redis.server.port)
      windows.push(track(new RedisSlidingWindow({ ...shared, client, limit: 6, window })))
      await windows.at(-1)!.decide()
    }
    const flow: [number, number][] = []
    const start = performance.now()
    const calls = windows.flatMap(one => crowd(4, start + 1_500, () => one.acquire(), flow, 13))
    await Promise.all(calls)
    // The later one: 6 in 400 ms, and what passed before it was there.
    const most = 6 * (1 + (performance.now() - start) / 400) + 1
    expect(flow.length).toBeLessThanOrEqual(most)
  })

  test('a full store that evicts nothing: no limit is exceeded', async () => {
    const id = randomUUID()
    const client = await connect(redis.server.port)
    const shared = { client, id, timeout: 5_000, processes: 1 }
    const limits = { rate: 0.001, burst: 6 }
    const local = track(new RedisTokenBucket({ ...shared, ...limits, id: `${id}b` }))
    const window = track(
      new RedisSlidingWindow({ ...shared, limit: 6, window: 60_000, whenDown: 'closed' }),
    )
    expect([await local.tryAcquire(), await window.tryAcquire()]).toEqual([true, true])
    await admin.config('SET', 'maxmemory', '1')
    try {
      const passed: boolean[] = []
      for (let i = 0; i < 8; i++) passed.push(await local.tryAcquire())
      // What the bucket had left.
      expect(passed.filter(Boolean)).toHaveLength(5)
      expect(local.stats().unsettled).toBe(5)
      // Redis lets a script write that has taken something out first.
      expect(await window.tryAcquire()).toBe(true)
    } finally {
      await admin.config('SET', 'maxmemory', '0')
    }
    await expect.poll(() => local.stats().unsettled).toBe(0)
    expect(await local.tryAcquire()).toBe(false)
    expect((await window.decide()).remaining).toBe(3)
  })

  test('a window that is lost, or rolled back by a fail-over, is told of what passed', async () => {
    const id = randomUUID()
    const key = `millrace:limit:{${id}}:window`
    const window = track(
      new RedisSlidingWindow({ client: admin, id, limit: 6, window: 60_000, timeout: 5_000 }),
    )
    await window.tryAcquire(2)
    const before = [(await admin.dumpBuffer(key))!, (await admin.dumpBuffer(`${key}:state`))!]
    await window.tryAcquire(3)
    await admin.restore(key, 600_000, before[0]!, 'REPLACE')
    await admin.restore(`${key}:state`, 600_000, before[1]!, 'REPLACE')
    expect((await window.decide()).remaining).toBe(0)
    await admin.flushall()
    expect(await window.tryAcquire()).toBe(false)
    expect(await admin.zcard(key)).toBe(6)
  })

  test('FLUSHALL with a backlog: what sleeps counts against the new bucket', async () => {
    const id = randomUUID()
    const limiters = [await bucket(id, {}), await bucket(id, {})]
    const flow: [number, number][] = []
    await using still = new Standstill(admin)
    const start = performance.now()
    const end = start + 2_000
    const calls = limiters.flatMap(one => crowd(100, end, () => one.acquire(), flow))
    await sleep(700)
    await admin.flushall()
    await sleep(1_300)
    await Promise.all(limiters.map(one => one.close()))
    await Promise.all(calls)
    // A burst more; what was reserved ahead counts.
    const late = LATE + still.longest
    expect(worstExcess(flow, 1, 0.1)).toBeLessThanOrEqual(1 + 0.1 * late)
    expect(flow.length).toBeLessThanOrEqual(3 + 0.1 * (flow.at(-1)![0] - start + late))
  })

  test('a fail-over to an older state: what was given since counts', async () => {
    const id = randomUUID()
    const one = await bucket(id, { rate: 0.01, burst: 100 })
    const key = `millrace:limit:{${id}}`
    await one.tryAcquire(10)
    const before = (await admin.dumpBuffer(key))!
    for (let i = 0; i < 5; i++) await one.tryAcquire(10)
    await admin.restore(key, 600_000, before, 'REPLACE')
    expect((await one.decide(0)).remaining).toBeCloseTo(40, 0)
  })

  test('a call that arrives late, after a loss, does not empty the bucket', async () => {
    const id = randomUUID()
    await using proxy = await FaultProxy.start({ target: redis.server.port })
    const limits = { id, rate: 0.001, burst: 6, timeout: 10_000 }
    const far = track(new RedisTokenBucket({ ...limits, client: await connect(proxy.port) }))
    expect([await far.tryAcquire(), await far.tryAcquire()]).toEqual([true, true])
    proxy.stall('up')
    const late = far.tryAcquire()
    await admin.flushall()
    const well = track(new RedisTokenBucket({ ...limits, client: admin }))
    expect(await well.tryAcquire()).toBe(true)
    await sleep(1_200)
    await proxy.heal()
    expect(await late).toBe(true)
    expect((await well.decide(0)).remaining).toBeCloseTo(3, 1)
  })

  test('a process that is killed while 2,000 calls of it wait keeps others waiting for a second', async () => {
    const id = randomUUID()
    const child = fork(
      join(import.meta.dirname, 'waiting-process.fixture.ts'),
      [`${redis.server.port}`, id],
      { execArgv: ['--conditions=millrace-source'] },
    )
    await once(child, 'message')
    child.kill('SIGKILL')
    await once(child, 'exit')
    const live = await bucket(id, {})
    await using still = new Standstill(admin)
    const { waited } = await live.acquire()
    expect(waited).toBeLessThan(1_500 + still.longest)
  })

  describe('what an owner does to a key', () => {
    test('penalize, block, reset and get, for all processes', async () => {
      const shared = { client: admin, id: randomUUID(), rate: 0.01, burst: 5, timeout: 5_000 }
      const [a, b] = [track(new RedisKeyedLimiter(shared)), track(new RedisKeyedLimiter(shared))]
      expect(await a.get('x')).toMatchObject({ allowed: true, limit: 5, remaining: 5 })
      await a.penalize('x', 4)
      expect((await b.get('x')).remaining).toBeCloseTo(1, 0)
      await a.block('x', 60_000)
      const blocked = await b.decide('x')
      expect(blocked.allowed).toBe(false)
      expect(blocked.retryAfter).toBeGreaterThan(50_000)
      await b.reset('x')
      expect(await a.tryAcquire('x', 5)).toBe(true)
      const windows = track(
        new RedisKeyedWindow({
          client: admin,
          id: randomUUID(),
          limit: 2,
          window: 60_000,
          timeout: 5_000,
        }),
      )
      expect(await windows.tryAcquire('x', 2)).toBe(true)
      expect(await windows.tryAcquire('x')).toBe(false)
      expect(await windows.tryAcquire('y')).toBe(true)
      expect(await windows.get('x')).toMatchObject({ allowed: false, remaining: 0, limit: 2 })
      await windows.reset('x')
      expect(await windows.tryAcquire('x')).toBe(true)
    })

    test('a permit may weigh several', async () => {
      const shared = { client: admin, id: randomUUID(), permits: 3, timeout: 5_000, poll: 5 }
      const [a, b] = [track(new RedisSemaphore(shared)), track(new RedisSemaphore(shared))]
      const heavy = await a.acquire(2)
      expect(await b.tryAcquire(2)).toBeUndefined()
      const light = (await b.tryAcquire())!
      const waiting = b.acquire(3)
      await light.release()
      await heavy.release()
      await (await waiting).release()
      await expect(a.acquire(4)).rejects.toThrow('`weight`')
    })

    test('keys of a semaphore exclude each other in all processes, and are forgotten', async () => {
      const shared = { client: admin, id: randomUUID(), permits: 1, timeout: 5_000, poll: 5 }
      const [a, b] = [
        track(new RedisKeyedSemaphore(shared)),
        track(new RedisKeyedSemaphore(shared)),
      ]
      const ann = await a.acquire('ann')
      expect(await b.tryAcquire('ann')).toBeUndefined()
      const bob = (await b.tryAcquire('bob'))!
      const next = b.run('ann', ({ fence }) => fence)
      await ann.release()
      expect(await next).toBeGreaterThan(ann.fence)
      await bob.release()
      const long = [await a.acquire('long'), await a.acquire('longer')]
      for (let i = 0; i < 20; i++) await a.run(`once-${i}`, () => {})
      expect(a.stats()).toMatchObject({ active: 2, waiting: 0, lost: 0 })
      expect(a.stats().keys).toBeLessThanOrEqual(5)
      for (const permit of long) await permit.release()
      for (let i = 0; i < 5; i++) await a.run(`again-${i}`, () => {})
      expect(a.stats()).toMatchObject({ active: 0, waiting: 0, lost: 0 })
      expect(a.stats().keys).toBeLessThanOrEqual(2)
      expect(() => new RedisKeyedSemaphore({ ...shared, permits: 0 })).toThrow('`permits`')
      await b.close()
      await expect(b.acquire('ann')).rejects.toThrow('is closed')
      await expect(b.tryAcquire(1 as never)).rejects.toThrow('`key`')
    })

    test('ids of semaphores that are used once leave nothing behind', async () => {
      for (let i = 0; i < 20; i++) {
        const options = { client: admin, id: `order-${i}`, permits: 1, timeout: 5_000 }
        const once = new RedisSemaphore({ ...options, ttl: 200 })
        await once.run(() => {})
        await once.close()
      }
      await expect.poll(() => admin.keys('*order-*')).toEqual([])
    })
  })
})
