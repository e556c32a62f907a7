import { randomUUID } from 'node:crypto'
import { describeRedis } from '@millrace/testkit/vitest'
import type { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connections } from './connections.fixture.ts'
import {
  RedisKeyedLimiter,
  RedisKeyedSemaphore,
  RedisKeyedWindow,
  RedisSemaphore,
  RedisSlidingWindow,
  RedisTokenBucket,
} from './tracked.fixture.ts'

/** Longer than any test. */
const A_DAY = 86_400_000

/** One process of a limit of so many. */
interface Process extends AsyncDisposable {
  take(): Promise<boolean>
  overruled(): number | undefined
}

interface Shared {
  readonly client: Redis
  readonly id: string
  readonly timeout: number
}

const windows = { window: A_DAY }
const permits = { ttl: A_DAY }
/** Tokens that were saved are kept, up to the new burst: of a bucket that is emptied a larger burst makes none. */
const kinds: Readonly<
  Record<string, { saves: boolean; make: (shared: Shared, limit: number) => Process }>
> = {
  RedisTokenBucket: {
    saves: true,
    make: (shared, burst) => {
      const limiter = new RedisTokenBucket({ ...shared, rate: 1e-3, burst })
      return of(() => limiter.tryAcquire(), limiter)
    },
  },
  RedisKeyedLimiter: {
    saves: true,
    make: (shared, burst) => {
      const limiter = new RedisKeyedLimiter({ ...shared, rate: 1e-3, burst })
      return of(() => limiter.tryAcquire('key'), limiter)
    },
  },
  RedisSlidingWindow: {
    saves: false,
    make: (shared, limit) => {
      const limiter = new RedisSlidingWindow({ ...shared, ...windows, limit })
      return of(() => limiter.tryAcquire(), limiter)
    },
  },
  RedisKeyedWindow: {
    saves: false,
    make: (shared, limit) => {
      const limiter = new RedisKeyedWindow({ ...shared, ...windows, limit })
      return of(() => limiter.tryAcquire('key'), limiter)
    },
  },
  RedisSemaphore: {
    saves: false,
    make: (shared, limit) => {
      const limiter = new RedisSemaphore({ ...shared, ...permits, permits: limit })
      return of(async () => (await limiter.tryAcquire()) !== undefined, limiter)
    },
  },
  RedisKeyedSemaphore: {
    saves: false,
    make: (shared, limit) => {
      const limiter = new RedisKeyedSemaphore({ ...shared, ...permits, permits: limit })
      return of(async () => (await limiter.tryAcquire('key')) !== undefined, limiter)
    },
  },
}

function of(take: () => Promise<boolean>, limiter: AsyncDisposable & { stats(): object }): Process {
  return {
    take,
    overruled: () => (limiter.stats() as { overruled?: number }).overruled,
    [Symbol.asyncDispose]: () => limiter[Symbol.asyncDispose](),
  }
}

describeRedis('processes with other settings', redis => {
  const connect = connections()
  let client: Redis
  const open: AsyncDisposable[] = []
  beforeEach(async () => {
    client = await connect(redis.server.port)
    await client.flushall()
  })
  afterEach(async () => {
    await client.config('SET', 'maxmemory', '0')
    await client.config('SET', 'maxmemory-policy', 'noeviction')
    for (const one of open.splice(0)) await one[Symbol.asyncDispose]()
    const keys = await client.keys('*')
    const lives = await Promise.all(keys.map(key => client.pttl(key)))
    expect(lives.filter(life => life === -1)).toEqual([])
  })

  async function passes(process: Process, times = 8): Promise<number> {
    let passed = 0
    for (let i = 0; i < times; i++) if (await process.take()) passed++
    return passed
  }

  test('who waits for more than the smaller limit of a deploy is told so, and holds up nothing behind it', async () => {
    const shared = { client, timeout: 30_000, ttl: A_DAY, poll: 5 }
    const slots = (id: string, many: number) => new RedisSemaphore({ ...shared, id, permits: many })
    const wide = slots('deployed', 4)
    const held = await wide.acquire(4)
    const waiting = wide.acquire(4)
    const behind = wide.acquire(2)
    const refused = expect(waiting).rejects.toThrow(
      'Expected `weight` to be an integer from 1 to 2',
    )
    expect(await slots('deployed', 2).tryAcquire()).toBeUndefined()
    await refused
    await held.release()
    await (await behind).release()
    const options = { client, timeout: 30_000, id: 'deployed', window: A_DAY }
    const large = new RedisSlidingWindow({ ...options, limit: 4 })
    await large.acquire(3)
    const tooMuch = large.acquire(4)
    const told = expect(tooMuch).rejects.toThrow(
      'Expected `cost` to be a number from 0 to the limit of 2',
    )
    expect(await new RedisSlidingWindow({ ...options, limit: 2 }).tryAcquire()).toBe(false)
    await large.refund(3)
    await told
    expect(await large.acquire()).toMatchObject({ waited: expect.any(Number) })
  })

  describe.each(Object.entries(kinds))('%s', (_, { saves, make }) => {
    const join = (id: string, limit: number) => {
      const process = make({ client, id, timeout: 30_000 }, limit)
      open.push(process)
      return process
    }

    test('a deploy of a smaller limit, and back', async () => {
      const id = randomUUID()
      const old = join(id, 6)
      expect(await passes(old, 2)).toBe(2)
      const fresh = join(id, 3)
      expect(await passes(fresh)).toBe(saves ? 3 : 1)
      expect(await passes(old)).toBe(0)
      // As the old one is started again it rules, and the one in between follows.
      const back = join(id, 6)
      expect(await passes(back, 2)).toBe(saves ? 0 : 2)
      expect(await passes(fresh)).toBe(saves ? 0 : 1)
      expect(await passes(old)).toBe(0)
      expect([back.overruled() ?? 0, old.overruled() ?? 1]).toEqual([0, 1])
    })

    test('a deploy of a larger limit, and back', async () => {
      const id = randomUUID()
      const old = join(id, 3)
      expect(await passes(old, 2)).toBe(2)
      const fresh = join(id, 6)
      expect(await passes(fresh, 1)).toBe(1)
      expect(await passes(old, 2)).toBe(saves ? 0 : 2)
      const back = join(id, 3)
      expect(await passes(back)).toBe(0)
      expect(await passes(fresh)).toBe(0)
      expect(await passes(old)).toBe(0)
    })

    test('processes that start and end in turn: never more than the larger limit', async () => {
      const id = randomUUID()
      const members = [join(id, 4), join(id, 6)]
      let passed = 0
      for (let round = 0; round < 12; round++) {
        passed += await passes(members[round % members.length]!, 1)
        if (round % 3 === 2) members.push(join(id, round % 2 === 0 ? 4 : 6))
      }
      expect(passed).toBeGreaterThanOrEqual(4)
      expect(passed).toBeLessThanOrEqual(6)
    })

    test('a full store that evicts nothing: no limit is exceeded, and it goes on afterwards', async () => {
      const id = randomUUID()
      const process = join(id, 6)
      let passed = await passes(process, 2)
      expect(passed).toBe(2)
      await client.config('SET', 'maxmemory', '1')
      for (let i = 0; i < 8; i++) {
        // Of one kind or another: refused, or a store that is not available.
        passed += await passes(process, 1).catch(error => {
          expect(error).toMatchObject({ code: 'ERR_MILLRACE_LIMIT_STORE_UNAVAILABLE' })
          return 0
        })
      }
      expect(passed).toBeLessThanOrEqual(6)
      await client.config('SET', 'maxmemory', '0')
      const end = performance.now() + 60_000
      while (passed < 6 && performance.now() < end) {
        passed += await passes(process, 1).catch(() => 0)
        await client.ping()
      }
      expect(passed).toBe(6)
      expect(await passes(process, 3)).toBe(0)
    })

    test('a full store that evicts the limit itself, again and again: at most the limit once more', async () => {
      const id = randomUUID()
      const process = join(id, 6)
      let passed = await passes(process, 2)
      await client.config('SET', 'maxmemory-policy', 'allkeys-lru')
      await client.config('SET', 'maxmemory', '1')
      for (let i = 0; i < 30; i++) passed += await passes(process, 1).catch(() => 0)
      expect(passed).toBeLessThanOrEqual(12)
    })
  })
})
