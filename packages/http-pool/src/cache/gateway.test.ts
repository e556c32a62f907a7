import { MemoryStore } from '@millrace/cache-core/memory'
import { describe, expect, test } from 'vitest'
import type { CachedResponses, HttpPoolOptions } from '../index.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'

// What is kept may not be used any more, and the origin that could say otherwise cannot be reached.

type HttpCacheOptions = Exclude<NonNullable<HttpPoolOptions['cache']>, boolean>

const makePool = useUpstream({ retry: false })
const kept = (): Promise<unknown> => new Promise(setImmediate)

describe.each([
  ['memory', () => ({})],
  ['a store', () => ({ store: new MemoryStore<CachedResponses>() })],
])('over %s', (_name, makeStore) => {
  const make = (options: HttpCacheOptions = {}) =>
    makePool({ cache: { ...makeStore(), ...options } })

  test.each(['max-age=0, must-revalidate', 'max-age=60, no-cache', 'max-age=0'])(
    '%s: the error of the connection, or with `gateway` a 504 that is kept by nobody',
    async control => {
      server.on('/', { body: '"kept"', headers: { 'cache-control': control, etag: '"v"' } })
      const client = make()
      const gateway = make({ gateway: true })
      for (const pool of [client, gateway]) {
        expect(await pool.json(server.url('/'))).toBe('kept')
        await kept()
      }
      await server.kill()
      await expect(client.request(server.url('/'))).rejects.toMatchObject({
        code: expect.stringMatching(/^ECONN/),
      })
      for (let i = 0; i < 2; i++) {
        const { statusCode, statusText, headers, body } = await gateway.request(server.url('/'))
        expect([statusCode, statusText, await body.text()]).toEqual([504, 'Gateway Timeout', ''])
        expect(headers.etag).toBeUndefined()
        await kept()
      }
      const fetched = await gateway.fetch(server.url('/'))
      expect([fetched.status, await fetched.text()]).toEqual([504, ''])
      await server.restart()
      server.on('/', { status: 304, headers: { etag: '"v"' } })
      expect(await gateway.json(server.url('/'))).toBe('kept')
    },
  )

  test('what is not kept fails with the error, and so does an abort of a validation', async () => {
    const pool = make({ gateway: true })
    server.on('/', { body: '1', headers: { 'cache-control': 'max-age=0', etag: '"v"' } })
    await pool.json(server.url('/'))
    await kept()
    server.on('/', { fault: 'hang' })
    const controller = new AbortController()
    const aborted = pool.request(server.url('/'), { signal: controller.signal })
    await expect.poll(() => server.requests.length).toBe(2)
    controller.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    await server.kill()
    await expect(pool.request(server.url('/other'))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('stale-if-error serves what is kept, with `gateway` or without', async () => {
    const headers = { 'cache-control': 'max-age=0, stale-if-error=60', etag: '"v"' }
    for (const gateway of [false, true]) {
      server.on('/', { body: '"kept"', headers })
      const pool = make({ gateway })
      await pool.json(server.url('/'))
      await kept()
      await server.kill()
      expect(await pool.json(server.url('/'))).toBe('kept')
      await server.restart()
    }
  })

  test('a renewal in the background that fails leaves what is kept', async () => {
    const headers = { 'cache-control': 'max-age=0, stale-while-revalidate=60', etag: '"v"' }
    server.on('/', { body: '"kept"', headers })
    const pool = make({ gateway: true })
    await pool.json(server.url('/'))
    await kept()
    await server.kill()
    for (let i = 0; i < 3; i++) {
      expect(await pool.json(server.url('/'))).toBe('kept')
      await expect.poll(() => pool.stats().pending).toBe(0)
      await kept()
    }
  })
})
