import { randomUUID } from 'node:crypto'
import { FaultProxy, VirtualClock } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AcquireTimeoutError, LeaseLostError, LimitStoreUnavailableError } from '../../errors.ts'
import { writtenAhead } from '../testing/server-time.fixture.ts'
import { RedisSemaphore } from '../testing/tracked.fixture.ts'
import type { RedisSemaphoreOptions } from './semaphore-options.ts'

describeRedis('RedisSemaphore', redis => {
  let client: Redis
  const open: { disconnect(): void }[] = []
  beforeEach(() => {
    client = connect()
  })
  afterEach(() => {
    for (const connection of open.splice(0)) connection.disconnect()
  })

  function connect(port = redis.server.port): Redis {
    const connection = new Redis(port, { retryStrategy: () => 20 })
    // The tests break connections on purpose; what follows from it is seen in the semaphore's answers.
    connection.on('error', () => {})
    open.push(connection)
    return connection
  }

  async function pair(options: Partial<RedisSemaphoreOptions> = {}) {
    const id = randomUUID()
    await client.ping()
    const make = (subscriber: Redis) =>
      new RedisSemaphore({ client, subscriber, id, permits: 2, timeout: 5_000, ...options })
    return { id, a: make(connect()), b: make(connect()) }
  }

  test('no more holders than permits over all processes, and fencing tokens that grow', async () => {
    const { a, b } = await pair()
    const permits = [(await a.tryAcquire())!, (await b.tryAcquire())!]
    expect(await a.tryAcquire()).toBeUndefined()
    await permits[0]!.release()
    await permits[0]!.release()
    permits.push((await b.tryAcquire())!)
    expect(await a.tryAcquire()).toBeUndefined()
    const fences = permits.map(({ fence }) => fence)
    expect(fences).toEqual([...new Set(fences)].sort((x, y) => x - y))
    expect(b.stats()).toMatchObject({ active: 2, granted: 2 })
  })

  test('a waiter hears of a permit that another process releases, long before it would ask again', async () => {
    const { a, b } = await pair({ permits: 1, poll: 60_000 })
    const held = await a.acquire()
    const waiting = b.acquire()
    await expect(b.acquire({ timeout: 1 })).rejects.toThrow(AcquireTimeoutError)
    await held.release()
    await (await waiting).release()
    expect(b.stats()).toMatchObject({ granted: 1, timeouts: 1, waiting: 0, active: 0 })
  })

  test('many callers of two processes: never too many inside, and all are served', async () => {
    const { a, b } = await pair({ permits: 3 })
    let inside = 0
    let most = 0
    const job = async () => {
      most = Math.max(most, ++inside)
      await client.ping()
      inside--
    }
    await Promise.all(Array.from({ length: 60 }, (_, i) => (i % 2 ? a : b).run(job)))
    expect(most).toBeLessThanOrEqual(3)
    expect(a.stats().granted + b.stats().granted).toBe(60)
  })

  test('the permit of a holder that died is free when its lease ends', async () => {
    const id = randomUUID()
    const make = (ttl: number) =>
      new RedisSemaphore({ client, id, permits: 1, ttl, poll: 5, timeout: 5_000 })
    // On a clock that stands still nothing is renewed, as in a process that was frozen.
    const frozen = new RedisSemaphore({
      client,
      id,
      permits: 1,
      ttl: 60,
      clock: new VirtualClock(),
    })
    await client.ping()
    const lost = await frozen.acquire()
    const next = await make(60).acquire()
    expect(next.fence).toBeGreaterThan(lost.fence)
    await next.release()
  })

  test('a permit is renewed for as long as it is held', async () => {
    const clock = new VirtualClock()
    const { id, a, b } = await pair({ permits: 1, clock })
    const held = await a.acquire()
    const holders = `millrace:limit:{${id}}:holders`
    const end = async () => Number((await client.zrange(holders, '0', '-1', 'WITHSCORES'))[1])
    for (let beat = 1; beat <= 4; beat++) {
      const before = await end()
      clock.advance(10_000 / 3)
      while ((await end()) === before) await client.ping()
      expect(await end()).toBeGreaterThan(before)
    }
    expect(held.signal.aborted).toBe(false)
    expect(await b.tryAcquire()).toBeUndefined()
    await held.release()
    await (await b.acquire()).release()
  })

  test('a holder learns that its place is gone and taken, and fences still grow', async () => {
    const clock = new VirtualClock()
    const { a, b } = await pair({ permits: 1, clock })
    const held = await a.acquire()
    await client.flushall()
    const other = (await b.tryAcquire())!
    expect(other.fence).toBeGreaterThan(held.fence)
    const lost = new Promise(resolve => held.signal.addEventListener('abort', resolve))
    clock.advance(10_000 / 3)
    await lost
    expect(held.signal.reason).toBeInstanceOf(LeaseLostError)
    expect(a.stats()).toMatchObject({ lost: 1, active: 0 })
    await held.release()
    expect(await a.tryAcquire()).toBeUndefined()
    await other.release()
  })

  test('a place that Redis forgot and nobody took is taken again', async () => {
    const clock = new VirtualClock()
    const { a, b } = await pair({ permits: 1, clock })
    const held = await a.acquire()
    await client.flushall()
    clock.advance(10_000 / 3)
    while (a.stats().trips < 2) await client.ping()
    await client.ping()
    expect(await b.tryAcquire()).toBeUndefined()
    expect(held.signal.aborted).toBe(false)
    await held.release()
  })

  test('a holder that cannot renew is told before its lease ends', async () => {
    const proxy = await FaultProxy.start({ target: redis.server.port })
    const behind = connect(proxy.port)
    await behind.ping()
    const clock = new VirtualClock()
    const semaphore = new RedisSemaphore({ client: behind, id: randomUUID(), permits: 1, clock })
    const held = await semaphore.acquire()
    proxy.stall()
    await clock.advanceAsync(9_000)
    expect(held.signal.reason).toBeInstanceOf(LeaseLostError)
    expect(held.signal.reason.cause).toBeInstanceOf(LimitStoreUnavailableError)
    const refused = expect(semaphore.run(() => 1)).rejects.toThrow(LimitStoreUnavailableError)
    await clock.advanceAsync(1_000)
    await refused
    await proxy.stop()
  })

  describe('while Redis is away', () => {
    async function cutOff(options: Partial<RedisSemaphoreOptions>) {
      const proxy = await FaultProxy.start({ target: redis.server.port })
      open.push({ disconnect: () => void proxy.stop() })
      const behind = connect(proxy.port)
      await behind.ping()
      const clock = new VirtualClock()
      const limits = { id: randomUUID(), permits: 4, clock, breaker: { cooldown: 1, failures: 1 } }
      const semaphore = new RedisSemaphore({ client: behind, ...limits, ...options })
      const well = new RedisSemaphore({ client, ...limits, timeout: 5_000 })
      const goAway = async () => {
        proxy.cut()
        proxy.refuse()
        while (behind.status === 'ready') await client.ping()
      }
      const comeBack = async () => {
        await proxy.heal()
        while (behind.status !== 'ready') await client.ping()
        while (semaphore.stats().unsettled > 0) {
          clock.advance(1)
          await client.ping()
        }
      }
      return { semaphore, well, clock, goAway, comeBack }
    }

    test('leaseTtl: a released permit passes on within the process, with its fence, until its lease ends', async () => {
      const { semaphore, well, clock, goAway, comeBack } = await cutOff({ whenDown: 'lease' })
      const first = await semaphore.acquire()
      const second = await semaphore.acquire()
      await goAway()
      const waiting = semaphore.acquire()
      await expect(semaphore.acquire({ timeout: 0 })).rejects.toThrow(AcquireTimeoutError)
      await first.release()
      const heir = await waiting
      expect(heir.fence).toBe(first.fence)
      await second.release()
      expect(semaphore.stats()).toMatchObject({ active: 1, unsettled: 2 })

      await comeBack()
      // The one that nobody wanted was left in Redis, the other is still held.
      const others = [1, 2, 3, 4].map(() => well.tryAcquire())
      expect((await Promise.all(others)).filter(Boolean)).toHaveLength(3)

      await goAway()
      const told = new Promise(resolve => heir.signal.addEventListener('abort', resolve))
      for (let beat = 0; beat < 3; beat++) await clock.advanceAsync(10_000 / 3)
      await told
      await expect(semaphore.acquire()).rejects.toThrow(LimitStoreUnavailableError)
    })

    test('local: who is inside stays within the share, and Redis is told of all', async () => {
      const { semaphore, well, clock, goAway, comeBack } = await cutOff({
        whenDown: 'local',
        processes: 1,
      })
      const held = await semaphore.acquire()
      await goAway()
      const locals = [await semaphore.tryAcquire(), await semaphore.tryAcquire()]
      expect(locals.map(permit => permit?.fence)).toEqual([0, 0])
      for (let beat = 0; beat < 4; beat++) await clock.advanceAsync(10_000 / 3)
      expect(held.signal.aborted).toBe(false)
      // One that left before Redis was told need never be entered.
      await locals[0]!.release()
      expect(semaphore.stats()).toMatchObject({ active: 2, lost: 0, unsettled: 2 })
      await comeBack()
      const others = [1, 2, 3, 4].map(() => well.tryAcquire())
      expect((await Promise.all(others)).filter(Boolean)).toHaveLength(2)
      await clock.advanceAsync(10_000 / 3)
      expect(locals[1]!.signal.aborted).toBe(false)
    })

    test('closed: a permit released meanwhile is free as soon as Redis is back', async () => {
      const { semaphore, well, goAway, comeBack } = await cutOff({ permits: 1 })
      const held = await semaphore.acquire()
      await goAway()
      await held.release()
      expect(semaphore.stats()).toMatchObject({ active: 0, unsettled: 1 })
      await comeBack()
      const others = [1, 2, 3, 4].map(() => well.tryAcquire())
      expect((await Promise.all(others)).every(Boolean)).toBe(true)
    })
  })

  test('a server clock that was set back holds no place for longer than a lease', async () => {
    // Longer than the machine stands still between this and the first try.
    const ttl = 3_000
    const { id, a } = await pair({ permits: 1, ttl, poll: 5 })
    // On a clock that stands still nothing is renewed, as in a process that died.
    const dead = new RedisSemaphore({ client, id, permits: 1, ttl, clock: new VirtualClock() })
    await dead.acquire()
    const key = `millrace:limit:{${id}}`
    const keys = { state: `${key}:state`, indexes: [0, 3], set: `${key}:holders` }
    await writtenAhead(client, 3_600_000, keys)
    expect(await a.tryAcquire()).toBeUndefined()
    await (await a.acquire({ timeout: 60_000 })).release()
  })

  test('abort, disposal and bad options', async () => {
    const { a, b } = await pair({ permits: 1 })
    const held = await a.acquire()
    const controller = new AbortController()
    const aborted = expect(b.acquire({ signal: controller.signal })).rejects.toBe('enough')
    controller.abort('enough')
    await aborted
    const closed = expect(b.acquire()).rejects.toThrow('is closed')
    await b[Symbol.asyncDispose]()
    await closed
    await a[Symbol.asyncDispose]()
    await held.release()
    expect(await client.exists(`millrace:limit:{${a.name}}:holders`)).toBe(0)
    expect(() => new RedisSemaphore({ client, id: 'a', permits: 0 })).toThrow(
      'Expected `permits` to be an integer of at least 1, got 0',
    )
  })
})
