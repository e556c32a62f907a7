import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FsStore } from '@millrace/cache-core/fs'
import { MemoryStore } from '@millrace/cache-core/memory'
import { UpstreamServer } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type CachedResponses, HttpPool, type HttpPoolOptions } from './index.ts'

type CacheOptions = Exclude<NonNullable<HttpPoolOptions['cache']>, boolean>
type Store = NonNullable<CacheOptions['store']>

let server: UpstreamServer
const pools: HttpPool[] = []

beforeEach(async () => {
  server = await UpstreamServer.start()
})

afterEach(async () => {
  await Promise.all(pools.splice(0).map(pool => pool.destroy()))
  await server.kill()
})

function makePool(options: HttpPoolOptions): HttpPool {
  const pool = new HttpPool({ retry: false, ...options })
  pools.push(pool)
  return pool
}

/** A response is kept after its caller has it. In memory that takes no more than promises and next ticks. */
const kept = (): Promise<unknown> => new Promise(setImmediate)

const requested = (path: string) => server.requests.filter(({ url }) => url === path)

const stores: [string, () => CacheOptions][] = [
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

test('on disk outlives the pool', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'http-pool-cache-'))
  server.on('/', { body: '"kept"', cacheControl: 'max-age=60' })
  for (let i = 0; i < 2; i++) {
    await using disk = new FsStore<CachedResponses>({ folder })
    const writes: Promise<unknown>[] = []
    const store: Store = {
      get: key => disk.get(key),
      delete: key => disk.delete(key),
      set: (key, value, options) => {
        const write = disk.set(key, value, options)
        writes.push(write)
        return write
      },
    }
    const pool = makePool({ cache: { store } })
    expect(await pool.json(server.url('/'))).toBe('kept')
    await expect.poll(() => writes.length + server.requests.length).toBe(i === 0 ? 2 : 1)
    await Promise.all(writes)
  }
  expect(server.requests).toHaveLength(1)
  await rm(folder, { recursive: true })
})

describe('a store', () => {
  const never = () => new Promise<never>(() => {})

  test.each<[string, () => Promise<never>]>([
    ['rejects', () => Promise.reject(new Error('gone'))],
    [
      'throws',
      () => {
        throw new Error('gone')
      },
    ],
  ])('that %s is a cache that misses', async (_name, broken) => {
    server.on('/', { body: '"origin"', cacheControl: 'max-age=60' })
    const pool = makePool({ cache: { store: { get: broken, set: broken, delete: broken } } })
    expect(await pool.json(server.url('/'))).toBe('origin')
    await kept()
    expect(await pool.json(server.url('/'))).toBe('origin')
    await kept()
    expect(server.requests).toHaveLength(2)
    // A look-up before, one beside and a write after each of them.
    expect(pool.stats().storeFailures).toBe(6)
  })

  test('that is slow to take a response: it can be found at once, until it is deleted', async () => {
    server.on('/', { body: '"first"', cacheControl: 'max-age=60' })
    const memory = new MemoryStore<CachedResponses>()
    const writes: (() => Promise<unknown>)[] = []
    const store: Store = {
      get: key => memory.get(key),
      delete: key => memory.delete(key),
      set: (...parameters) =>
        new Promise(resolve => {
          writes.push(() => memory.set(...parameters).then(resolve))
        }),
    }
    const pool = makePool({ cache: { store } })
    for (let i = 0; i < 3; i++) expect(await pool.json(server.url('/'))).toBe('first')
    expect(server.requests).toHaveLength(1)
    await writes[0]!()
    expect(await pool.json(server.url('/'))).toBe('first')
    expect(pool.stats().cached).toBe(3)

    server.on('/', { body: '"second"', cacheControl: 'max-age=60' })
    await pool.json(server.url('/'), { method: 'POST', json: 1 })
    expect(await pool.json(server.url('/'))).toBe('second')
    expect(server.requests).toHaveLength(3)
  })

  test('that never takes a response holds nobody up', async () => {
    server.on('/', { body: '"origin"', cacheControl: 'max-age=60' })
    const get = async () => undefined
    const pool = makePool({ cache: { store: { get, set: never, delete: never } } })
    expect(await pool.json(server.url('/'))).toBe('origin')
    await pool.close()
    expect(pool.stats()).toMatchObject({ connections: 0, deadlines: 0 })
  })

  describe('that never answers a look-up', () => {
    const store: Store = { get: never, set: never, delete: never }
    const clean = { pending: 0, queued: 0, connections: 0, deadlines: 0 }

    test.each(['request', 'json', 'fetch'] as const)(
      'holds %s() no longer than its total time',
      async method => {
        const pool = makePool({ cache: { store }, totalTimeout: 40 })
        const start = performance.now()
        const error = await (pool[method](server.url('/')) as Promise<unknown>).catch(
          error => error,
        )
        expect(performance.now() - start).toBeGreaterThanOrEqual(40)
        const total = { code: 'ERR_MILLRACE_TOTAL_TIMEOUT', timeout: 40, origin: server.origin }
        expect(method === 'fetch' ? (error as Error).cause : error).toMatchObject(total)
        expect(pool.stats()).toMatchObject({ ...clean, requests: 0 })
        expect(server.stats().accepted).toBe(0)
      },
    )

    test('is left by an abort at once', async () => {
      const pool = makePool({ cache: { store }, coalesce: true, totalTimeout: 60_000 })
      const controller = new AbortController()
      const { signal } = controller
      const all = [
        pool.request(server.url('/'), { signal }),
        pool.json(server.url('/'), { signal }),
        pool.fetch(server.url('/'), { signal }),
      ]
      controller.abort(new Error('left'))
      for (const each of all) await expect(each).rejects.toThrow('left')
      expect(pool.stats()).toMatchObject(clean)
    })

    test('is left by destroy() at once', async () => {
      const pool = makePool({ cache: { store } })
      const result = pool.json(server.url('/')).catch(error => error)
      await pool.destroy()
      expect(await result).toMatchObject({ code: 'ERR_MILLRACE_POOL_CLOSED' })
    })
  })

  test('that answers late brings nothing back to a call that is over', async () => {
    const answers: (() => void)[] = []
    const get = () =>
      new Promise<undefined>(resolve => {
        answers.push(() => resolve(undefined))
      })
    const pool = makePool({ cache: { store: { get, set: never, delete: never } } })
    const controller = new AbortController()
    const aborted = pool.json(server.url('/'), { signal: controller.signal })
    controller.abort(new Error('left'))
    await expect(aborted).rejects.toThrow('left')
    answers[0]!()
    await kept()
    expect(server.stats().accepted).toBe(0)
    expect(pool.stats()).toMatchObject({ pending: 0, connections: 0, deadlines: 0 })
  })

  test('that is slow still lets a pool close behind the call', async () => {
    server.on('/', { body: '"origin"' })
    let answer = () => {}
    const get = () =>
      new Promise<undefined>(resolve => {
        answer = () => resolve(undefined)
      })
    const pool = makePool({ cache: { store: { get, set: never, delete: never } } })
    const result = pool.json(server.url('/'))
    const closed = pool.close()
    await expect(pool.json(server.url('/'))).rejects.toMatchObject({
      code: 'ERR_MILLRACE_POOL_CLOSED',
    })
    answer()
    expect(await result).toBe('origin')
    await closed
  })

  test('that stops answering in a revalidation holds a call no longer than its total time', async () => {
    const memory = new MemoryStore<CachedResponses>()
    let lookUps = 0
    const store: Store = {
      get: key => (++lookUps > 3 ? never() : memory.get(key)),
      set: (key, value, options) => memory.set(key, value, options),
      delete: key => memory.delete(key),
    }
    const headers = { etag: '"v"', 'cache-control': 'max-age=0' }
    server.on('/', { body: '"kept"', headers }, { status: 304, headers })
    const pool = makePool({ cache: { store } })
    await pool.json(server.url('/'))
    await kept()
    expect(lookUps).toBe(2)
    const error = await pool.json(server.url('/'), { totalTimeout: 80 }).catch(error => error)
    expect(error).toMatchObject({ phase: 'total', timeout: 80 })
    expect(server.requests).toHaveLength(2)
    expect(pool.stats()).toMatchObject({ pending: 0, deadlines: 0 })
  })
})
