import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FsStore } from '@millrace/cache-core/fs'
import { MemoryStore } from '@millrace/cache-core/memory'
import { VirtualClock } from '@millrace/testkit'
import { describe, expect, test, vi } from 'vitest'
import type { CachedResponses, ResponseStore } from '../index.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'

type Store = ResponseStore<CachedResponses>

const makePool = useUpstream({ retry: false })

/** A response is kept after its caller has it. In memory that takes no more than promises and next ticks. */
const kept = (): Promise<unknown> => new Promise(setImmediate)

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
        const total = {
          code: 'ERR_MILLRACE_HTTP_TOTAL_TIMEOUT',
          timeout: 40,
          origin: server.origin,
        }
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

  test('that does not answer in time is a cache that misses, and what it says later changes nothing', async () => {
    server.on('/', { body: '"origin"', cacheControl: 'max-age=60' })
    const clock = new VirtualClock()
    let answer = () => {}
    const get = () =>
      new Promise<undefined>((_resolve, reject) => {
        answer = () => reject(new Error('late'))
      })
    const store: Store = { get, set: never, delete: never }
    const pool = makePool({ clock, cache: { store, storeTimeout: 300 } })
    const result = pool.json(server.url('/'))
    clock.advance(299)
    expect(pool.stats().requests).toBe(0)
    clock.advance(1)
    expect(await result).toBe('origin')
    const late = answer
    await kept()
    late()
    await kept()
    expect(pool.stats()).toMatchObject({ requests: 1, pending: 0, deadlines: 0 })
    expect(pool.stats().storeFailures).toBeGreaterThan(0)
    await pool.close()
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
    const clock = new VirtualClock()
    const pool = makePool({ cache: { store }, clock })
    await pool.json(server.url('/'))
    await kept()
    expect(lookUps).toBe(2)
    const failed = pool.json(server.url('/'), { totalTimeout: 800 }).catch(error => error)
    await expect.poll(() => lookUps).toBe(4)
    clock.advance(800)
    expect(await failed).toMatchObject({ phase: 'total', timeout: 800 })
    expect(server.requests).toHaveLength(2)
    expect(pool.stats()).toMatchObject({ pending: 0, deadlines: 0 })
  })
})

test('a value that is no entry of a store is a miss that counts as a failure', async () => {
  server.on('/', { body: '"origin"', cacheControl: 'max-age=60' })
  const values = new Map<string, unknown>()
  // As one would write it over a Map, without the `{ value }` around it.
  const store = {
    get: async (key: string) => values.get(key) as never,
    set: async (key: string, value: unknown) => values.set(key, value),
    delete: async (key: string) => values.delete(key),
  }
  const pool = makePool({ cache: { store } })
  for (let i = 0; i < 2; i++) {
    expect(await pool.json(server.url('/'))).toBe('origin')
    await kept()
  }
  expect(server.requests).toHaveLength(2)
  expect(pool.stats().storeFailures).toBeGreaterThan(0)
})

test.each([
  ['a store', () => ({ store: new MemoryStore<CachedResponses>() })],
  ['memory', () => ({})],
])('a wall clock that is set back makes nothing in %s fresh for longer', async (_name, cache) => {
  server.on('/', { body: '"origin"', cacheControl: 'max-age=60' })
  const pool = makePool({ cache: cache() })
  const hour = 3_600_000
  const now = vi
    .spyOn(Date, 'now')
    .mockImplementation(() => performance.timeOrigin + performance.now())
  try {
    for (let i = 0; i < 2; i++) {
      await pool.json(server.url('/'))
      await kept()
    }
    expect(server.requests).toHaveLength(1)
    now.mockImplementation(() => performance.timeOrigin + performance.now() - hour)
    for (let i = 0; i < 3; i++) {
      await pool.json(server.url('/'))
      await kept()
    }
    expect(server.requests).toHaveLength(2)
  } finally {
    now.mockRestore()
  }
})
