import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FsStore } from '@millrace/cache-core/fs'
import { MemoryStore } from '@millrace/cache-core/memory'
import { UpstreamServer } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type CachedResponses, HttpPool, type HttpPoolOptions } from './index.ts'

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

describe('coalescing', () => {
  test('one request serves all that are the same', async () => {
    server.on('*', { latency: 20, body: { large: 'x'.repeat(300_000) } })
    const pool = makePool({ coalesce: true })
    const all = await Promise.all(
      Array.from({ length: 50 }, () => pool.json<{ large: string }>(server.url('/'))),
    )
    expect(all.every(({ large }) => large.length === 300_000)).toBe(true)
    expect(server.requests).toHaveLength(1)
    expect(pool.stats()).toMatchObject({ requests: 1, coalesced: 49, pending: 0 })
    await pool.json(server.url('/'))
    expect(server.requests).toHaveLength(2)
  })

  test('other URLs, headers and methods are not the same', async () => {
    server.on('*', { latency: 10, body: '1' })
    const pool = makePool({ coalesce: true })
    await Promise.all([
      pool.json(server.url('/a')),
      pool.json(server.url('/b')),
      pool.json(server.url('/a'), { headers: { authorization: 'x' } }),
      pool.json(server.url('/a'), { headers: { authorization: 'y' } }),
      pool.json(server.url('/a'), { json: {} }),
      pool.json(server.url('/a'), { json: {} }),
    ])
    expect(server.requests).toHaveLength(6)
  })

  test('a deadline is that of its own caller', async () => {
    server.on('*', { latency: 150, body: '"late"' })
    const pool = makePool({ coalesce: true })
    const patient = pool.json(server.url('/'))
    await expect(pool.json(server.url('/'), { totalTimeout: 20 })).rejects.toMatchObject({
      phase: 'total',
    })
    expect(await patient).toBe('late')
  })

  test("one caller's abort leaves the others alone, the last one's ends the request", async () => {
    server.on('*', { latency: 60, body: '"shared"' })
    const pool = makePool({ coalesce: true })
    const first = new AbortController()
    const aborted = pool.json(server.url('/'), { signal: first.signal })
    const served = pool.json(server.url('/'))
    first.abort(new Error('first left'))
    await expect(aborted).rejects.toThrow('first left')
    expect(await served).toBe('shared')
    expect(server.requests).toHaveLength(1)

    server.on('*', { fault: 'hang' })
    const controller = new AbortController()
    const all = [1, 2].map(() => pool.json(server.url('/'), { signal: controller.signal }))
    await expect.poll(() => server.requests.length).toBe(2)
    controller.abort(new Error('all left'))
    for (const each of await Promise.allSettled(all)) {
      expect(each).toMatchObject({ status: 'rejected', reason: { message: 'all left' } })
    }
    await expect
      .poll(() => pool.stats())
      .toMatchObject({ pending: 0, connections: 0, deadlines: 0 })
  })

  test('a reader that lags gets all of it, and so do the others', async () => {
    const size = 3_000_000
    server.on('*', { body: Buffer.alloc(size, 'z') })
    const pool = makePool({ coalesce: true })
    const [slow, fast] = await Promise.all([
      pool.request(server.url('/')),
      pool.request(server.url('/')),
    ])
    expect(server.requests).toHaveLength(1)
    const fastLength = fast.body.bytes().then(bytes => bytes.length)
    let slowLength = 0
    for await (const chunk of slow.body) {
      slowLength += chunk.length
      await new Promise(setImmediate)
    }
    expect([slowLength, await fastLength]).toEqual([size, size])
  })

  test('a failure is the failure of all', async () => {
    server.on('*', { fault: 'reset' })
    const pool = makePool({ coalesce: true })
    const all = await Promise.allSettled([1, 2, 3].map(() => pool.json(server.url('/'))))
    expect(all.every(({ status }) => status === 'rejected')).toBe(true)
    expect(server.requests).toHaveLength(1)
  })
})

describe('cache', () => {
  const stores: [string, () => Promise<NonNullable<Exclude<HttpPoolOptions['cache'], boolean>>>][] =
    [
      ['undici’s memory', async () => ({})],
      ['a MemoryStore of cache-core', async () => ({ store: new MemoryStore<CachedResponses>() })],
    ]

  describe.each(stores)('in %s', (_name, makeCache) => {
    test('serves what is fresh, revalidates what has to be', async () => {
      server.on('/fresh', { body: '"kept"', cacheControl: 'max-age=60' })
      server.on('/checked', { body: '"checked"', etag: 'v1', cacheControl: 'max-age=60' })
      const pool = makePool({ cache: await makeCache() })
      for (let i = 0; i < 3; i++) {
        expect(await pool.json(server.url('/fresh'))).toBe('kept')
        const headers = { 'cache-control': 'no-cache' }
        expect(await pool.json(server.url('/checked'), { headers })).toBe('checked')
        await new Promise(resolve => setTimeout(resolve, 15))
      }
      const urls = server.requests.map(({ url }) => url)
      expect(urls.filter(url => url === '/fresh')).toHaveLength(1)
      expect(urls.filter(url => url === '/checked')).toHaveLength(3)
      const tags = server.requests.map(({ headers }) => headers['if-none-match'])
      expect(tags).toContain('"v1"')
    })

    test('keeps variants apart, and what is private or forbidden not at all', async () => {
      server.on('/vary', ({ headers }) => ({
        body: JSON.stringify(headers.accept),
        headers: { vary: 'accept' },
        cacheControl: 'max-age=60',
      }))
      server.on('/private', { body: '1', cacheControl: 'private, max-age=60' })
      server.on('/no-store', { body: '1', cacheControl: 'no-store' })
      const pool = makePool({ cache: await makeCache() })
      for (let i = 0; i < 2; i++) {
        for (const accept of ['a/b', 'c/d']) {
          expect(await pool.json(server.url('/vary'), { headers: { accept } })).toBe(accept)
        }
        await pool.json(server.url('/private'))
        await pool.json(server.url('/no-store'))
        await new Promise(resolve => setTimeout(resolve, 15))
      }
      expect(server.requests.filter(({ url }) => url === '/vary')).toHaveLength(2)
      expect(server.requests.filter(({ url }) => url !== '/vary')).toHaveLength(4)
    })

    test('a redirect is not kept as what it points to', async () => {
      server.on('/moving', { status: 302, headers: { location: '/target' } })
      server.on('/target', { body: '"target"', cacheControl: 'max-age=60' })
      server.on('/next', { body: '"next"', cacheControl: 'max-age=60' })
      const pool = makePool({ cache: await makeCache() })
      expect(await pool.json(server.url('/moving'))).toBe('target')
      await new Promise(resolve => setTimeout(resolve, 15))
      server.on('/moving', { status: 302, headers: { location: '/next' } })
      expect(await pool.json(server.url('/moving'))).toBe('next')
    })

    test('a compressed response is kept compressed and served plain', async () => {
      server.on('/', { body: '{"a":1}', cacheControl: 'max-age=60' })
      const pool = makePool({ cache: await makeCache(), decompress: true, coalesce: true })
      for (let i = 0; i < 2; i++) {
        expect(await pool.json(server.url('/'))).toEqual({ a: 1 })
        await new Promise(resolve => setTimeout(resolve, 15))
      }
      expect(server.requests).toHaveLength(1)
    })

    test('an abort ends a request that is not in it', async () => {
      server.on('*', { fault: 'hang' })
      const pool = makePool({ cache: await makeCache() })
      const controller = new AbortController()
      const result = pool.json(server.url('/'), { signal: controller.signal })
      controller.abort(new Error('left'))
      await expect(result).rejects.toThrow('left')
      await expect.poll(() => pool.stats()).toMatchObject({ pending: 0, deadlines: 0 })
    })
  })

  test('on disk outlives the pool', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'http-pool-cache-'))
    server.on('/', { body: '"kept"', cacheControl: 'max-age=60' })
    for (let i = 0; i < 2; i++) {
      await using store = new FsStore<CachedResponses>({ folder: directory })
      const pool = makePool({ cache: { store } })
      expect(await pool.json(server.url('/'))).toBe('kept')
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    expect(server.requests).toHaveLength(1)
    await rm(directory, { recursive: true })
  })

  test('that fails is a cache that misses', async () => {
    server.on('/', { body: '"origin"', cacheControl: 'max-age=60' })
    const broken = () => Promise.reject(new Error('gone'))
    const pool = makePool({ cache: { store: { get: broken, set: broken, delete: broken } } })
    expect(await pool.json(server.url('/'))).toBe('origin')
    expect(await pool.json(server.url('/'))).toBe('origin')
    expect(server.requests).toHaveLength(2)
  })
})
