import { RedisServer, runs, seededRandom } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RedisBus } from '../bus/redis-bus.ts'
import { PATIENT } from '../testing/patience.fixture.ts'
import { RedisStore } from './redis-store.ts'

describeRedis('What Redis forgets', redis => {
  let raw: Redis
  let store: RedisStore<string>
  const journal = 'millrace:cache:{0}'
  beforeEach(async () => {
    raw = new Redis(redis.server.port)
    await raw.flushall()
    store = new RedisStore({ ...PATIENT, url: redis.server.url })
  })
  afterEach(async () => {
    await store.close()
    raw.disconnect()
  })
  const freshValue = async (key: string) => {
    const entry = await store.get(key)
    return entry === undefined || entry.expires === 0 ? undefined : entry.value
  }

  const losses: Record<string, () => Promise<unknown>> = {
    'the journal': () => raw.unlink(journal),
    'the notes of keys': () => raw.unlink(`${journal}!`),
    'both of them': () => raw.unlink(journal, `${journal}!`),
    'everything but the values': async () => {
      const names = (await raw.keys('*')).filter(name => !name.startsWith(`${journal}:`))
      await raw.unlink(...names)
    },
    everything: () => raw.flushall(),
  }
  const invalidations: Record<string, (of: RedisStore<string>) => Promise<unknown>> = {
    delete: of => of.delete('k'),
    expire: of => of.expire('k'),
    deleteTag: of => of.deleteTag('t'),
    expireTag: of => of.expireTag('t'),
    clear: of => of.clear(),
    'clear to stale': of => of.clear({ expire: true }),
    set: of => of.set('k', 'newer', { tags: ['t'] }),
  }
  describe.each(Object.entries(losses))('%s', (_, lose) => {
    test.each(Object.entries(invalidations))(
      'does not let a load pass that began before a %s',
      async (_name, invalidate) => {
        await store.set('k', 'old', { tags: ['t'] })
        const { fence } = await store.lookup(['k'])
        await invalidate(store)
        await lose()
        expect(await store.set('k', 'loaded', { fence, tags: ['t'] })).toBe(false)
        expect(['newer', undefined]).toContain(await freshValue('k'))
        const again = await store.lookup(['k'])
        await store.set('k', 'right', { fence: again.fence, tags: ['t'] })
        const third = await store.lookup(['k'])
        expect(
          (await store.set('k', 'right', { fence: third.fence, tags: ['t'] })) ||
            (await freshValue('k')) === 'right',
        ).toBe(true)
      },
    )

    test.each(['deleteTag', 'clear', 'expireTag', 'clear to stale'])(
      'does not bring back what a %s has invalidated',
      async name => {
        const other = await store.lookup(['other'])
        await store.set('k', 'old', { tags: ['t'] })
        await invalidations[name]!(store)
        expect(await freshValue('k')).toBeUndefined()
        await lose()
        expect(await freshValue('k')).toBeUndefined()
        await store.set('other', 'x', { tags: ['t'], fence: other.fence })
        await store.set('more', 'x', { tags: ['t'] })
        expect(await freshValue('k')).toBeUndefined()
      },
    )
  })

  /** Everything that Redis holds now, to be put back under open connections. */
  const keep = async () => {
    const names = await raw.keys('*')
    const dumps = await Promise.all(names.map(name => raw.dumpBuffer(name)))
    return async () => {
      await raw.flushall()
      for (const [index, name] of names.entries()) await raw.restore(name, 0, dumps[index]!)
    }
  }
  describe.each(Object.entries(invalidations))(
    'an older state that is put back',
    (name, invalidate) => {
      test(`does not undo a ${name} for who knows of it`, async () => {
        await using bus = new RedisBus({ ...PATIENT, url: redis.server.url })
        await using other = new RedisStore<string>({ ...PATIENT, url: redis.server.url })
        await bus.ready()
        bus.carries(other)
        await store.set('k', 'old', { tags: ['t'] })
        const { fence } = await other.lookup(['k'])
        const putBack = await keep()
        const { received } = bus.stats()
        const told = Promise.withResolvers<void>()
        bus.subscribe({ onInvalidations: () => told.resolve(), onGap: () => undefined })
        await invalidate(store)
        await told.promise
        expect(bus.stats().received).toBeGreaterThan(received)
        await putBack()
        expect(await other.set('k', 'loaded', { fence, tags: ['t'] })).toBe(false)
        expect(await other.get('k')).toBeUndefined()
        await putBack()
        expect(await store.get('k')).toBeUndefined()
        await store.set('k', 'right')
        expect((await other.get('k'))?.value).toBe('right')
      })
    },
  )

  test.each(Object.entries(invalidations))(
    'an older state that is put back, and goes on by who does not know, does not undo a %s',
    async (_, invalidate) => {
      await using other = new RedisStore<string>({ ...PATIENT, url: redis.server.url })
      await store.set('k', 'old', { tags: ['t'] })
      const { fence } = await store.lookup(['k'])
      const putBack = await keep()
      await invalidate(store)
      for (let change = 0; change < 3; change++) {
        await putBack()
        await using stranger = new RedisStore<string>({ ...PATIENT, url: redis.server.url })
        await stranger.delete('something else')
        await stranger.deleteTag('another')
        expect(await store.set('k', 'loaded', { fence, tags: ['t'] })).toBe(false)
        expect(await store.get('k')).toBeUndefined()
        expect(await other.get('k')).toBeUndefined()
      }
      await other.set('k', 'right', { fence: await other.fence() })
      expect((await store.get('k'))?.value).toBe('right')
    },
  )

  test('where nothing is lost, one life goes on, whatever several processes do at once', async () => {
    const { url } = redis.server
    await using bus = new RedisBus({ ...PATIENT, url, heartbeat: 5 })
    const stores = Array.from({ length: 3 }, () => new RedisStore<number>({ url, ...PATIENT }))
    bus.carries(stores[0])
    await bus.ready()
    const random = seededRandom(1)
    const id = await raw.zscore(journal, '#id')
    const act = async (store: RedisStore<number>): Promise<void> => {
      const key = `k${Math.floor(random() * 20)}`
      const tags = [`t${Math.floor(random() * 5)}`]
      const dice = random()
      if (dice < 0.3) await store.get(key)
      else if (dice < 0.5) await store.set(key, 1, { fence: await store.fence(), tags })
      else if (dice < 0.7) await store.set(key, 2, { tags })
      else if (dice < 0.8) await store.delete(key)
      else if (dice < 0.9) await store.expireTag(tags[0]!)
      else if (dice < 0.95) await store.deleteMany([key, 'other'])
      else await store.publish([{ verb: 'delete', target: 'pattern', name: 'x*' }])
    }
    const callers = stores.flatMap(store =>
      Array.from({ length: 8 }, async () => {
        for (let call = 0; call < runs(100); call++) await act(store)
      }),
    )
    await Promise.all(callers)
    expect(await raw.zscore(journal, '#id')).toBe(id)
    for (const each of stores) await each.close()
  })

  test('a life that was seen to be over does not come back', async () => {
    await store.set('k', 'old')
    const { fence } = await store.lookup(['k'])
    const putBack = await keep()
    await raw.flushall()
    await store.delete('k')
    await putBack()
    expect(await store.set('k', 'loaded', { fence })).toBe(false)
    expect(await store.get('k')).toBeUndefined()
  })

  test('a clear leaves what was invalidated and written behind it', async () => {
    const values = Array.from({ length: 2_000 }, (_, i) => ({ key: `k${i}`, value: 'x' }))
    await store.setMany(values)
    await using other = new RedisStore<string>({ ...PATIENT, url: redis.server.url })
    const clearing = store.clear()
    const fence = await other.fence()
    await other.delete('late')
    await other.deleteTag('t')
    await other.set('kept', 'new')
    await clearing
    expect(await store.set('late', 'old', { fence })).toBe(false)
    expect(await store.set('tagged', 'old', { fence, tags: ['t'] })).toBe(false)
    expect(await freshValue('kept')).toBe('new')
    expect((await raw.keys('*')).length).toBe(3)
  })

  test('another server with the same data may lack what was invalidated last, so nothing of it is believed', async () => {
    await store.set('k', 'old')
    const { fence } = await store.lookup(['k'])
    // As a promoted replica would hold it: everything, written by a server with another name.
    await raw.zadd(journal, 12_345, '#node')
    await using other = new RedisStore<string>({ ...PATIENT, url: redis.server.url })
    expect(await other.get('k')).toBeUndefined()
    expect(await store.set('k', 'loaded', { fence })).toBe(false)
  })

  test('scripts that the server forgot are sent again', async () => {
    await store.set('k', 'value')
    await raw.script('FLUSH')
    expect(await freshValue('k')).toBe('value')
  })

  /** Notes that so many names were invalidated just now. */
  const remember = (zset: string, kind: string, count: number) =>
    raw.eval(
      `local time = redis.call('TIME')
      local now = time[1] * 1000000 + time[2]
      for i = 1, ARGV[2] do redis.call('ZADD', KEYS[1], now, ARGV[1] .. i) end`,
      1,
      zset,
      kind,
      count,
    )

  test('more tags and keys than are remembered outdate what is older, and memory stays bounded', async () => {
    await store.set('old', 'x', { tags: ['untouched'] })
    const { fence } = await store.lookup(['k'])
    await remember(journal, 'd', 100_000)
    await store.deleteTag('one more')
    expect(await freshValue('old')).toBeUndefined()
    expect(await raw.zcard(journal)).toBeLessThan(101_000)
    await remember(`${journal}!`, 'k', 20_000)
    await store.delete('one more')
    expect(await store.set('k', 'late', { fence })).toBe(false)
    expect(await raw.zcard(`${journal}!`)).toBeLessThan(21_000)
    const now = await store.lookup(['k'])
    expect(await store.set('k', 'right', { fence: now.fence, tags: ['untouched'] })).toBe(true)
  })
})

test.each([
  'allkeys-lru',
  'allkeys-lfu',
  'allkeys-random',
  'volatile-lru',
  'volatile-lfu',
  'volatile-random',
  'volatile-ttl',
])('under memory pressure with %s no late value passes', async policy => {
  await using server = await RedisServer.start({
    args: ['--maxmemory', '4mb', '--maxmemory-policy', policy],
  })
  const raw = new Redis(server.port)
  await using store = new RedisStore<string>({ url: server.url, ...PATIENT })
  const late: string[] = []
  const served = async (key: string) => {
    const entry = await store.get(key)
    return entry !== undefined && entry.expires !== 0
  }
  for (let round = 0; round < runs(2); round++) {
    const fence = await store.fence()
    await store.set(`price${round}`, 'old', { tags: [`p${round}`] })
    await store.set(`c${round}`, 'old')
    await store.delete(`a${round}`)
    await store.deleteTag(`t${round}`)
    await store.deleteTag(`p${round}`)
    await store.clear({ expire: true })
    const fill = Array.from({ length: 1_500 }, (_, i) =>
      raw.set(`f${round}:${i}`, 'x'.repeat(5_000), 'PX', 900_000),
    )
    await Promise.allSettled(fill)
    if (await served(`c${round}`)) late.push(`clear ${round}`)
    await store.set(`a${round}`, 'late', { fence })
    if (await served(`a${round}`)) late.push(`key ${round}`)
    await store.set(`b${round}`, 'late', { fence, tags: [`t${round}`] })
    if (await served(`b${round}`)) late.push(`tag ${round}`)
    await store.set(`other${round}`, 'late', { fence, tags: [`p${round}`] })
    if (await served(`price${round}`)) late.push(`price ${round}`)
  }
  expect(late).toEqual([])
  expect(Number(/evicted_keys:(\d+)/.exec(await raw.info('stats'))![1])).toBeGreaterThan(100)
  raw.disconnect()
})

test('a full Redis that evicts nothing still lets everything be invalidated', async () => {
  await using server = await RedisServer.start({
    args: ['--maxmemory', '4mb', '--maxmemory-policy', 'noeviction'],
  })
  const raw = new Redis(server.port)
  await using store = new RedisStore<string>({ ...PATIENT, url: server.url })
  await store.setMany([
    { key: 'k', value: 'old' },
    { key: 'e', value: 'old' },
    { key: 'x', value: 'old', tags: ['t'] },
    { key: 'y', value: 'old' },
  ])
  const { fence } = await store.lookup(['k', 'e', 'x', 'z'])
  const full = async (size: number): Promise<void> => {
    for (let i = 0; ; i++) {
      if ((await raw.set(`f${size}:${i}`, 'x'.repeat(size)).catch(() => 'OOM')) === 'OOM') return
    }
  }
  for (const size of [20_000, 2_000, 100, 1]) await full(size)
  await expect(store.set('z', 'new')).rejects.toMatchObject({
    code: 'ERR_MILLRACE_REDIS_UNAVAILABLE',
    reason: 'reply',
    cause: { message: expect.stringContaining('OOM') },
  })
  expect(await store.delete('k')).toBe(true)
  expect(await store.expire('e')).toBe(true)
  expect([await store.get('k'), (await store.get('e'))?.expires ?? 0]).toEqual([undefined, 0])
  await full(1)
  await store.deleteTag('t')
  expect(await store.get('x')).toBeUndefined()
  await full(1)
  await store.clear()
  expect(await store.get('y')).toBeUndefined()
  // Not even when there is room again.
  await raw.config('SET', 'maxmemory', '0')
  for (const key of ['k', 'e', 'x', 'z']) {
    expect(await store.set(key, 'late', { fence, tags: ['t'] })).toBe(false)
  }
  expect(await store.set('k', 'new')).toBe(true)
  expect(store.stats().breakerOpened).toBe(0)
  raw.disconnect()
})
