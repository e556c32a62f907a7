import { MemoryStore } from '@millrace/cache-core/memory'
import { VirtualClock } from '@millrace/testkit'
import { describe, expect, test } from 'vitest'
import type { CachedResponses, HttpPoolOptions } from '../index.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'

type HttpCacheOptions = Exclude<NonNullable<HttpPoolOptions['cache']>, boolean>

const makePool = useUpstream({ retry: false })

/** A response is kept after its caller has it. In memory that takes no more than promises and next ticks. */
const kept = (): Promise<unknown> => new Promise(setImmediate)

const requested = (path: string) => server.requests.filter(({ url }) => url === path)

const stores: [string, () => HttpCacheOptions][] = [
  ['undici’s memory', () => ({})],
  ['a MemoryStore of cache-core', () => ({ store: new MemoryStore<CachedResponses>() })],
]

describe.each(stores)('in %s', (_name, makeCache) => {
  test('serves what is fresh, revalidates what has to be', async () => {
    server.on('/fresh', { body: '"kept"', cacheControl: 'max-age=60' })
    server.on('/checked', { body: '"checked"', etag: 'v1', cacheControl: 'max-age=60' })
    const pool = makePool({ cache: makeCache() })
    for (let i = 0; i < 3; i++) {
      expect(await pool.json(server.url('/fresh'))).toBe('kept')
      const headers = { 'cache-control': 'no-cache' }
      expect(await pool.json(server.url('/checked'), { headers })).toBe('checked')
      await kept()
    }
    expect(requested('/fresh')).toHaveLength(1)
    const tags = requested('/checked').map(({ headers }) => headers['if-none-match'])
    expect(tags).toEqual([undefined, '"v1"', '"v1"'])
  })

  test('a 304 renews the lifetime and the headers of what is kept', async () => {
    const fresh = { 'cache-control': 'max-age=60', 'x-turn': 'second', 'content-length': '0' }
    server.on(
      '/',
      { body: '"kept"', headers: { etag: '"v"', 'cache-control': 'max-age=0', 'x-turn': 'first' } },
      { status: 304, headers: { etag: '"v"', ...fresh } },
    )
    const pool = makePool({ cache: makeCache() })
    const turns: unknown[] = []
    for (let i = 0; i < 4; i++) {
      const { statusCode, headers, body } = await pool.request(server.url('/'))
      turns.push([statusCode, headers['x-turn'], headers.warning, await body.json()])
      await kept()
    }
    // Without a validation of its own in between: neither the entry nor its new lifetime was lost.
    expect(server.requests).toHaveLength(2)
    const second = [200, 'second', undefined, 'kept']
    expect(turns).toEqual([[200, 'first', undefined, 'kept'], second, second, second])
  })

  test('a 304 is a whole response to fetch as well', async () => {
    const headers = { etag: '"v"', 'cache-control': 'max-age=0' }
    server.on(
      '/',
      { body: '"kept"', headers },
      { status: 304, headers: { ...headers, 'x-turn': '2' } },
    )
    const pool = makePool({ cache: makeCache() })
    await (await pool.fetch(server.url('/'))).text()
    await kept()
    const response = await pool.fetch(server.url('/'))
    expect([response.status, response.headers.get('x-turn')]).toEqual([200, '2'])
    expect(await response.json()).toBe('kept')
  })

  test('a 304 that names another entity has the response fetched anew', async () => {
    const headers = { 'cache-control': 'max-age=0' }
    server.on(
      '/',
      { body: '"first"', headers: { ...headers, etag: '"v1"' } },
      { status: 304, headers: { ...headers, etag: '"v2"' } },
      { body: '"second"', headers: { ...headers, etag: '"v2"' } },
    )
    const pool = makePool({ cache: makeCache() })
    expect(await pool.json(server.url('/'))).toBe('first')
    await kept()
    expect(await pool.json(server.url('/'))).toBe('second')
    expect(server.requests).toHaveLength(3)
  })

  test('a 304 to a condition of the caller is the caller’s', async () => {
    server.on('/', { status: 304, headers: { etag: '"own"', 'cache-control': 'max-age=60' } })
    const pool = makePool({ cache: makeCache() })
    const headers = { 'if-none-match': '"own"' }
    const { statusCode, body } = await pool.request(server.url('/'), { headers })
    expect([statusCode, await body.text()]).toEqual([304, ''])
  })

  test('keeps variants apart, and what is private or forbidden not at all', async () => {
    server.on('/vary', ({ headers }) => ({
      body: JSON.stringify(headers.accept),
      headers: { vary: 'accept' },
      cacheControl: 'max-age=60',
    }))
    server.on('/private', { body: '1', cacheControl: 'private, max-age=60' })
    server.on('/no-store', { body: '1', cacheControl: 'no-store' })
    const pool = makePool({ cache: makeCache() })
    for (let i = 0; i < 2; i++) {
      for (const accept of ['a/b', 'c/d']) {
        expect(await pool.json(server.url('/vary'), { headers: { accept } })).toBe(accept)
      }
      await pool.json(server.url('/private'))
      await pool.json(server.url('/no-store'))
      await kept()
    }
    expect(requested('/vary')).toHaveLength(2)
    expect(requested('/private')).toHaveLength(2)
    expect(requested('/no-store')).toHaveLength(2)
  })

  test('stale-while-revalidate serves at once and renews in the background', async () => {
    const headers = { etag: '"v"', 'cache-control': 'max-age=0, stale-while-revalidate=60' }
    server.on(
      '/',
      { body: '"kept"', headers },
      { status: 304, headers: { etag: '"v"', 'cache-control': 'max-age=60', 'x-turn': '2' } },
    )
    const pool = makePool({ cache: makeCache() })
    await pool.json(server.url('/'))
    await kept()
    const stale = await pool.request(server.url('/'))
    expect(stale.headers['x-turn']).toBeUndefined()
    await stale.body.dump()
    await expect.poll(() => pool.stats()).toMatchObject({ requests: 2, pending: 0 })
    await kept()
    const renewed = await pool.request(server.url('/'))
    expect([renewed.headers['x-turn'], await renewed.body.json()]).toEqual(['2', 'kept'])
    expect(server.requests).toHaveLength(2)
  })

  test.each([false, true])(
    'what many calls find stale is renewed once, by the limits of the pool: coalesce %s',
    async coalesce => {
      const headers = { etag: '"v"', 'cache-control': 'max-age=0, stale-while-revalidate=60' }
      server.on('/', { body: '"old"', headers }, { body: '"new"', headers, latency: 30 })
      const clock = new VirtualClock()
      const pool = makePool({ cache: makeCache(), coalesce, clock })
      await pool.json(server.url('/'))
      await kept()
      const hurried = { totalTimeout: 20, headersTimeout: 20, bodyTimeout: 20, retry: false }
      const calls = Array.from({ length: 20 }, () => pool.json(server.url('/'), hurried))
      expect(new Set(await Promise.all(calls))).toEqual(new Set(['old']))
      await expect.poll(() => requested('/')).toHaveLength(2)
      clock.advance(25)
      await expect.poll(() => pool.stats()).toMatchObject({ pending: 0, deadlines: 0 })
      await kept()
      expect(await pool.json(server.url('/'), hurried)).toBe('new')
      // The next one found stale begins another renewal.
      await expect.poll(() => requested('/')).toHaveLength(3)
    },
  )

  test('a renewal that fails, or takes longer than the pool allows, is tried again', async () => {
    const headers = { etag: '"v"', 'cache-control': 'max-age=0, stale-while-revalidate=60' }
    const reset = { fault: 'reset' } as const
    // The first reset is that of a kept connection, of which a request is sent again.
    server.on(
      '/',
      { body: '"old"', headers },
      reset,
      reset,
      { fault: 'hang' },
      { body: '1', headers },
    )
    const clock = new VirtualClock()
    const pool = makePool({ cache: makeCache(), clock, totalTimeout: 500 })
    await pool.json(server.url('/'))
    await kept()
    for (const requests of [3, 4, 5]) {
      expect(await pool.json(server.url('/'))).toBe('old')
      await expect.poll(() => requested('/')).toHaveLength(requests)
      if (requests === 4) clock.advance(500)
      await expect.poll(() => pool.stats()).toMatchObject({ pending: 0, deadlines: 0 })
      await kept()
    }
    expect(await pool.json(server.url('/'))).toBe(1)
  })

  test('a pool that closes beside a renewal in the background ends it', async () => {
    const headers = { etag: '"v"', 'cache-control': 'max-age=0, stale-while-revalidate=60' }
    server.on('/', { body: '"kept"', headers })
    const pool = makePool({ cache: makeCache() })
    await pool.json(server.url('/'))
    await kept()
    const stale = pool.json(server.url('/'))
    const closed = pool.close()
    expect(await stale).toBe('kept')
    await closed
    expect(pool.stats()).toMatchObject({ pending: 0, connections: 0, deadlines: 0 })
  })

  test('counts what it answers', async () => {
    server.on('/', { body: '"kept"', etag: 'v', cacheControl: 'max-age=60' })
    const pool = makePool({ cache: makeCache(), coalesce: true })
    await pool.json(server.url('/'))
    await kept()
    await pool.json(server.url('/'))
    await pool.json(server.url('/'))
    // A validation is a request.
    await pool.json(server.url('/'), { headers: { 'cache-control': 'no-cache' } })
    await pool.json(server.url('/'), { method: 'PUT', json: 1 })
    expect(pool.stats()).toMatchObject({ cached: 2, requests: 3, storeFailures: 0 })
  })

  test('what it holds is too large for a call that takes less', async () => {
    server.on('/', { body: 'x'.repeat(100), cacheControl: 'max-age=60' })
    const pool = makePool({ cache: makeCache() })
    await (await pool.request(server.url('/'))).body.dump()
    await kept()
    const { body } = await pool.request(server.url('/'), { maxResponseSize: 99 })
    await expect(body.text()).rejects.toMatchObject({ name: 'ResponseTooLargeError', limit: 99 })
    expect(server.requests).toHaveLength(1)
    expect(pool.stats()).toMatchObject({ cached: 1, pending: 0, deadlines: 0 })
  })

  test('a body of any size is kept without a `maxEntrySize`', async () => {
    server.on('/', { body: Buffer.alloc(6_000_000), cacheControl: 'max-age=60' })
    const pool = makePool({ cache: { ...makeCache(), maxEntrySize: Infinity } })
    for (let i = 0; i < 2; i++) {
      const { body } = await pool.request(server.url('/'))
      expect((await body.bytes()).length).toBe(6_000_000)
      await kept()
    }
    expect(server.requests).toHaveLength(1)
  })

  test('a redirect is not kept as what it points to', async () => {
    server.on('/moving', { status: 302, headers: { location: '/target' } })
    server.on('/target', { body: '"target"', cacheControl: 'max-age=60' })
    server.on('/next', { body: '"next"', cacheControl: 'max-age=60' })
    const pool = makePool({ cache: makeCache() })
    expect(await pool.json(server.url('/moving'))).toBe('target')
    await kept()
    server.on('/moving', { status: 302, headers: { location: '/next' } })
    expect(await pool.json(server.url('/moving'))).toBe('next')
  })

  test('a compressed response is kept compressed and served plain', async () => {
    server.on('/', { body: '{"a":1}', cacheControl: 'max-age=60' })
    const pool = makePool({ cache: makeCache(), decompress: true, coalesce: true })
    for (let i = 0; i < 2; i++) {
      expect(await pool.json(server.url('/'))).toEqual({ a: 1 })
      await kept()
    }
    expect(server.requests).toHaveLength(1)
  })

  test('an abort ends a request that is not in it', async () => {
    server.on('*', { fault: 'hang' })
    const pool = makePool({ cache: makeCache() })
    const controller = new AbortController()
    const result = pool.json(server.url('/'), { signal: controller.signal })
    controller.abort(new Error('left'))
    await expect(result).rejects.toThrow('left')
    await expect.poll(() => pool.stats()).toMatchObject({ pending: 0, deadlines: 0 })
  })
})
