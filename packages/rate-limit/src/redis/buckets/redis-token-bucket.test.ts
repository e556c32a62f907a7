import { randomUUID } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { FaultProxy, VirtualClock } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { InvalidOptionError, LimitStoreUnavailableError, RateLimitedError } from '../../errors.ts'
import { writtenAhead } from '../testing/server-time.fixture.ts'
import { RedisTokenBucket } from '../testing/tracked.fixture.ts'
import { during } from '../testing/virtual-time.fixture.ts'
import type { RedisTokenBucketOptions } from './redis-token-bucket.ts'

describeRedis('RedisTokenBucket', redis => {
  let client: Redis
  const others: Redis[] = []
  beforeEach(() => {
    client = connect(redis.server.port)
  })
  afterEach(() => {
    for (const other of [client, ...others.splice(0)]) other.disconnect()
  })

  function connect(port: number): Redis {
    const connection = new Redis(port, { retryStrategy: () => 20 })
    // The tests break connections on purpose; what follows from it is seen in the limiter's answers.
    connection.on('error', () => {})
    return connection
  }

  /** As many limiters as there would be processes, each on a connection of its own. */
  async function share(count: number, options: Partial<RedisTokenBucketOptions> = {}) {
    const id = options.id ?? randomUUID()
    const limiters: RedisTokenBucket[] = []
    for (let i = 0; i < count; i++) {
      const connection = connect(redis.server.port)
      others.push(connection)
      await connection.ping()
      limiters.push(
        new RedisTokenBucket({
          client: connection,
          id,
          rate: 1,
          burst: 5,
          timeout: 5_000,
          ...options,
        }),
      )
    }
    return limiters
  }

  test('processes share one burst', async () => {
    const limiters = await share(3, { rate: 0.01 })
    const calls = Array.from({ length: 12 }, (_, i) => limiters[i % 3]!.tryAcquire())
    expect((await Promise.all(calls)).filter(Boolean)).toHaveLength(5)
    const [first] = limiters
    const { allowed, limit, remaining } = await first!.decide()
    expect([allowed, limit]).toEqual([false, 5])
    expect(remaining).toBeLessThan(0.5)
    const stats = limiters.map(limiter => limiter.stats())
    expect(stats.reduce((sum, { granted }) => sum + granted, 0)).toBe(5)
    expect(stats.reduce((sum, { refused }) => sum + refused, 0)).toBe(8)
  })

  test('waits are reserved in order of arrival over all processes, none before its slot', async () => {
    const limiters = await share(3, { rate: 100, burst: 1 })
    const start = performance.now()
    const order: number[] = []
    const times: number[] = []
    const all: Promise<void>[] = []
    for (let i = 0; i < 15; i++) {
      const reserved = limiters[i % 3]!.acquire().then(() => {
        order.push(i)
        times.push(performance.now() - start)
      })
      all.push(reserved)
      // The reservation is made before the next process asks: its reply has come, or the caller passed at once.
      await limiters[i % 3]!.decide(0)
    }
    await Promise.all(all)
    for (const process of [0, 1, 2]) {
      const own = order.filter(i => i % 3 === process)
      expect(own).toEqual([...own].sort((a, b) => a - b))
    }
    // The first passed at or after `start`; number k is k slots of 10 ms later.
    for (const [k, time] of times.entries()) expect(time).toBeGreaterThanOrEqual(k * 10)
    expect(limiters.map(limiter => limiter.stats().granted)).toEqual([5, 5, 5])
  })

  test('the first call of a connection brings its script along, so that no later one overtakes it', async () => {
    const limiters = await share(2, { rate: 0.01, whenDown: 'closed' })
    await client.script('FLUSH')
    await client.config('RESETSTAT')
    const [first, second] = limiters
    const calls = [
      first!.tryAcquire(4),
      first!.tryAcquire(2),
      second!.tryAcquire(),
      first!.decide(0),
    ]
    expect((await Promise.all(calls)).slice(0, 2)).toEqual([true, false])
    expect(await client.info('errorstats')).not.toContain('NOSCRIPT')
  })

  test('an impossible timeout is refused with the wait, and nothing is spent', async () => {
    const [bucket] = await share(1, { rate: 0.1, burst: 1 })
    expect(await bucket!.tryAcquire()).toBe(true)
    const refused = await bucket!.acquire({ timeout: 500 }).catch(error => error)
    expect(refused).toBeInstanceOf(RateLimitedError)
    expect(refused.retryAfter).toBeGreaterThan(9_000)
    expect(refused.retryAfter).toBeLessThanOrEqual(10_000)
    const { retryAfter } = await bucket!.decide()
    expect(retryAfter).toBeLessThanOrEqual(10_000)
  })

  test('an aborted wait gives its slot back', async () => {
    const [bucket, other] = await share(2, { rate: 0.01, burst: 1, maxWait: 600_000 })
    await bucket!.tryAcquire()
    const controller = new AbortController()
    const waiting = bucket!.acquire({ signal: controller.signal })
    const rejected = expect(waiting).rejects.toThrow('never mind')
    await bucket!.decide(0)
    expect((await other!.decide()).retryAfter).toBeGreaterThan(150_000)
    controller.abort(new Error('never mind'))
    await rejected
    await bucket!.decide(0)
    expect((await other!.decide()).retryAfter).toBeLessThanOrEqual(100_000)
    expect(bucket!.stats()).toMatchObject({ aborts: 1, waiting: 0 })
  })

  test('a refund is there for all', async () => {
    const [bucket, other] = await share(2, { rate: 0.01 })
    expect(await bucket!.tryAcquire(5)).toBe(true)
    await bucket!.refund(2)
    expect(await other!.tryAcquire(2)).toBe(true)
    expect(await other!.tryAcquire(1)).toBe(false)
    await other!.refund(5)
    expect(await bucket!.tryAcquire(5)).toBe(true)
    await expect(other!.refund(6)).rejects.toThrow('a number from 0 to the 5 that may')
  })

  test('after FLUSHALL the bucket is full, and scripts are sent anew', async () => {
    const [bucket] = await share(1, { rate: 0.01 })
    expect(await bucket!.tryAcquire(5)).toBe(true)
    await client.flushall()
    await client.script('FLUSH')
    expect(await bucket!.tryAcquire(5)).toBe(true)
    expect(await bucket!.tryAcquire(1)).toBe(false)
  })

  test('a server clock that was set back does not stop the limit for as long', async () => {
    const id = randomUUID()
    const [bucket, other] = await share(2, { id, rate: 10, burst: 2, maxWait: 1_000 })
    await bucket!.tryAcquire(2)
    await writtenAhead(client, 3_600_000, { state: `millrace:limit:{${id}}`, indexes: [0, 1, 4] })
    expect(await other!.tryAcquire(2)).toBe(false)
    // A try that was refused has mended the state too.
    const { retryAfter } = await other!.decide(2)
    expect(retryAfter).toBeLessThanOrEqual(200)
    expect((await bucket!.acquire({ timeout: 60_000 })).waited).toBeLessThan(60_000)
  })

  test('an idle bucket leaves nothing in Redis', async () => {
    const id = randomUUID()
    const [bucket] = await share(1, { id, rate: 1_000, burst: 1, whenDown: 'closed' })
    await bucket!.tryAcquire()
    expect(await client.pttl(`millrace:limit:{${id}}`)).toBeLessThanOrEqual(3)
  })

  test('bad options and costs', async () => {
    const [bucket] = await share(1)
    await expect(bucket!.tryAcquire(6)).rejects.toThrow(
      'Expected `cost` to be a number from 0 to the burst of 5, got a positive integer of 1 digit',
    )
    await expect(bucket!.acquire(Number.NaN)).rejects.toThrow(InvalidOptionError)
    const make = (options: object) => new RedisTokenBucket({ client, id: 'a', rate: 1, ...options })
    expect(() => make({ id: '' })).toThrow('Expected `id` to be a string that is not empty')
    expect(() => make({ whenDown: 'maybe' })).toThrow(
      "Expected `whenDown` to be one of 'closed', 'open', 'local', 'lease', got a string of length 5",
    )
    expect(() => make({ timeout: 0 })).toThrow('Expected `timeout` to be a finite number above 0')
  })

  describe('with leases', () => {
    test('one call brings many permits, and the limit holds over all processes', async () => {
      const limiters = await share(2, { rate: 10_000, burst: 1, leaseTtl: 100 })
      const start = performance.now()
      const work = (limiter: RedisTokenBucket) =>
        Promise.all(
          Array.from({ length: 50 }, async () => {
            for (let i = 0; i < 20; i++) await limiter.acquire()
          }),
        )
      await Promise.all(limiters.map(work))
      const elapsed = performance.now() - start
      // 2,000 permits at 10,000/s, of which two leases may be spent at once.
      expect(elapsed).toBeGreaterThan(2_000 / 10 - 100 - 5)
      for (const limiter of limiters) {
        const { granted, trips } = limiter.stats()
        expect(granted).toBe(1_000)
        expect(trips).toBeLessThanOrEqual(granted / 20)
        expect(limiter.stats().processes).toBe(2)
      }
    })

    test('who waits for tokens that a stall has made too old gets others', async () => {
      const clock = new VirtualClock()
      const limits = { rate: 1_000, burst: 1, leaseTtl: 100, timeout: 600_000 }
      const [bucket] = await share(1, { ...limits, clock })
      const all = Promise.all(Array.from({ length: 30 }, () => bucket!.acquire()))
      // So many that it has no reason to ask for more, all of them in the future.
      while (bucket!.stats().leased < 80) await nextTurn()
      clock.jumpTo(clock.now() + 1_000)
      const end = clock.now() + 500_000
      while (bucket!.stats().granted < 30) {
        expect(clock.now()).toBeLessThan(end)
        await clock.advanceAsync(1)
      }
      await all
      expect(bucket!.stats()).toMatchObject({ unavailable: 0, waiting: 0 })
    })

    test('at low rates each permit is reserved alone', async () => {
      const [bucket] = await share(1, { rate: 20, burst: 3, leaseTtl: 100 })
      await Promise.all([bucket!.acquire(), bucket!.acquire(), bucket!.acquire()])
      expect(bucket!.stats()).toMatchObject({ granted: 3, leased: 0 })
    })

    test('tokens that nobody asks for are given back', async () => {
      const clock = new VirtualClock()
      const id = randomUUID()
      const [bucket] = await share(1, {
        id,
        rate: 100,
        burst: 100,
        leaseTtl: 1_000,
        whenDown: 'closed',
        clock,
      })
      for (let i = 0; i < 30; i++) await bucket!.acquire()
      const { leased } = bucket!.stats()
      expect(leased).toBeGreaterThan(0)
      const { trips } = bucket!.stats()
      await clock.advanceAsync(1_000)
      expect(bucket!.stats()).toMatchObject({ leased: 0, trips: trips + 1 })
    })

    test('disposal gives tokens back and rejects who waits', async () => {
      // On a clock that stands still nobody's turn comes.
      const clock = new VirtualClock()
      const [bucket] = await share(1, { rate: 100, burst: 10, leaseTtl: 100, clock })
      await bucket!.acquire(10)
      const waiting = Array.from({ length: 30 }, () => bucket!.acquire())
      const failed = Promise.all(waiting).catch(error => error)
      await bucket!.decide(0)
      await bucket![Symbol.asyncDispose]()
      expect((await failed).code).toBe('ERR_MILLRACE_LIMITER_CLOSED')
      await expect(bucket!.acquire()).rejects.toThrow('is closed')
    })
  })

  describe('while Redis is not available', () => {
    /** In ms on a clock that the tests move: passed at once where nothing answers, never where Redis is only slow. */
    const deadline = 10_000

    async function until(condition: () => Promise<boolean>): Promise<void> {
      const end = performance.now() + 60_000
      while (!(await condition())) expect(performance.now()).toBeLessThan(end)
    }

    async function behindProxy(options: Partial<RedisTokenBucketOptions>) {
      const proxy = await FaultProxy.start({ target: redis.server.port })
      const connection = connect(proxy.port)
      others.push(connection)
      await connection.ping()
      const id = randomUUID()
      const clock = new VirtualClock()
      const limits = {
        id,
        rate: 0.001,
        burst: 4,
        timeout: deadline,
        breaker: { cooldown: 1 },
        processes: 1,
        ...options,
      }
      const bucket = new RedisTokenBucket({ client: connection, clock, ...limits })
      const [healthy] = await share(1, limits)
      expect(await bucket.decide(0)).toMatchObject({ allowed: true })
      const away = <T>(call: Promise<T>) => during(clock, deadline / 2, call)
      return { proxy, bucket, healthy: healthy!, clock, away }
    }

    test('closed: a stall ends in LimitStoreUnavailableError, which is not a refusal', async () => {
      const { proxy, bucket, away } = await behindProxy({ whenDown: 'closed' })
      proxy.stall()
      const error = await away(bucket.acquire().catch(error => error))
      expect(error).toBeInstanceOf(LimitStoreUnavailableError)
      expect(error).not.toBeInstanceOf(RateLimitedError)
      expect(error.cause.message).toBe('Redis did not answer within 10000 ms')
      await expect(away(bucket.tryAcquire())).rejects.toThrow(LimitStoreUnavailableError)
      expect(bucket.stats()).toMatchObject({ down: 1, granted: 0 })
      await proxy.stop()
    })

    test('open: everybody passes, and what passed is debited afterwards', async () => {
      const { proxy, bucket, healthy, clock, away } = await behindProxy({ whenDown: 'open' })
      proxy.stall()
      for (let i = 0; i < 3; i++) expect(await away(bucket.tryAcquire())).toBe(true)
      expect(await away(bucket.acquire())).toEqual({ waited: 0 })
      expect(bucket.stats()).toMatchObject({ unsettled: 4, granted: 4 })
      await proxy.heal()
      await recover(bucket, clock)
      expect(await healthy.tryAcquire()).toBe(false)
      await proxy.stop()
    })

    test('local: the process keeps to its share, and what it spent is debited afterwards', async () => {
      const { proxy, bucket, healthy, clock, away } = await behindProxy({ whenDown: 'local' })
      proxy.cut()
      proxy.refuse()
      const passed = await away(Promise.all([1, 2, 3, 4, 5, 6].map(() => bucket.tryAcquire())))
      expect(passed.filter(Boolean)).toHaveLength(4)
      await expect(away(bucket.acquire({ timeout: 10 }))).rejects.toThrow(RateLimitedError)
      await proxy.heal()
      await recover(bucket, clock)
      expect(await healthy.tryAcquire()).toBe(false)
      await proxy.stop()
    })

    test('leaseTtl: tokens that are held are spent first', async () => {
      const { proxy, bucket, clock } = await behindProxy({
        whenDown: 'lease',
        rate: 1_000,
        burst: 100,
        leaseTtl: 60_000,
      })
      // How many are held goes by how fast they were spent, which a Redis that is slow to answer bounds.
      while (bucket.stats().leased <= 20) await during(clock, 1, bucket.acquire())
      const held = bucket.stats().leased
      proxy.stall()
      // Until the tokens are due.
      await clock.advanceAsync(held)
      const granted = await Promise.all(Array.from({ length: 20 }, () => bucket.tryAcquire()))
      expect(granted.every(Boolean)).toBe(true)
      expect(bucket.stats().unsettled).toBe(0)
      await proxy.stop()
      await bucket[Symbol.asyncDispose]()
    })

    test('closed: tokens that are held are given back, as they must not be used', async () => {
      const limits = { id: randomUUID(), rate: 0.001, burst: 1_000, whenDown: 'closed' } as const
      const { proxy, bucket, clock, away } = await behindProxy({ ...limits, leaseTtl: 100_000_000 })
      const [plain] = await share(1, limits)
      for (let i = 0; i < 50; i++) await bucket.acquire()
      expect(bucket.stats().leased).toBeGreaterThan(10)
      proxy.stall()
      // Until more are asked for and do not come.
      while (bucket.stats().down === 0) await away(bucket.tryAcquire().catch(() => false))
      expect(bucket.stats().leased).toBe(0)
      await proxy.heal()
      await recover(bucket, clock)
      await until(async () => {
        await clock.advanceAsync(1)
        const { granted, leased } = bucket.stats()
        return Math.round((await plain!.decide(0)).remaining) === 1_000 - granted - leased
      })
      await proxy.stop()
    })

    test('a server that is killed and comes back empty is debited too', async () => {
      const clock = new VirtualClock()
      const limits = {
        rate: 0.001,
        burst: 4,
        breaker: { cooldown: 1 },
        timeout: deadline,
        clock,
      } as const
      const [bucket] = await share(1, { ...limits, whenDown: 'local', processes: 1 })
      await bucket!.decide(0)
      await redis.server.kill()
      expect(await during(clock, deadline / 2, bucket!.tryAcquire(3))).toBe(true)
      await redis.server.restart()
      await recover(bucket!, clock)
      expect((await bucket!.decide(0)).remaining).toBeLessThan(2)
    })

    test('after some failures in a row Redis is left alone for a while', async () => {
      const clock = new VirtualClock()
      const [bucket] = await share(1, {
        whenDown: 'closed',
        breaker: { failures: 2, cooldown: 1_000 },
        clock,
      })
      redis.server.pause()
      for (let i = 0; i < 5; i++) {
        const refused = expect(bucket!.tryAcquire()).rejects.toThrow(LimitStoreUnavailableError)
        await clock.advanceAsync(5_000 * (i < 2 ? 1 : 0))
        await refused
      }
      expect(bucket!.stats()).toMatchObject({ trips: 2, unavailable: 5 })
      redis.server.resume()
      clock.advance(1_000)
      expect(await bucket!.tryAcquire()).toBe(true)
      expect(bucket!.stats()).toMatchObject({ trips: 4, down: 0 })
    })

    /** Asks until Redis has answered and been told what was spent. */
    async function recover(bucket: RedisTokenBucket, clock: VirtualClock): Promise<void> {
      const end = performance.now() + 60_000
      for (;;) {
        await during(
          clock,
          1,
          bucket.decide(0).catch(() => false),
        )
        const { down, unsettled } = bucket.stats()
        if (down === 0 && unsettled === 0) return
        expect(performance.now()).toBeLessThan(end)
      }
    }
  })
})
