import { UpstreamServer, VirtualClock } from '@millrace/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HttpPool } from '../index.ts'

const bodyLeakTimeout = 60_000

let server: UpstreamServer
let clock: VirtualClock
let pool: HttpPool

beforeEach(async () => {
  server = await UpstreamServer.start()
  server.on('/large', { body: Buffer.alloc(5_000_000) })
  server.on('/small', { body: '"served"' })
  clock = new VirtualClock()
  // Without the other deadlines, whatever is watched is a body that nobody reads.
  const none = {
    acquireTimeout: Infinity,
    headersTimeout: Infinity,
    bodyTimeout: Infinity,
    connectTimeout: Infinity,
  }
  pool = new HttpPool({ ...none, connectionsPerHost: 2, bodyLeakTimeout, clock })
})

afterEach(async () => {
  await pool.destroy()
  await server.kill()
})

test('bodies that nobody reads are given up when others wait, not before', async () => {
  const leaked = await Promise.all([1, 2].map(() => pool.request(server.url('/large'))))
  const errors = leaked.map(({ body }) => new Promise(resolve => body.on('error', resolve)))
  await expect.poll(() => pool.stats().deadlines).toBe(2)
  clock.advance(3 * bodyLeakTimeout)
  expect(pool.stats()).toMatchObject({ pending: 2, failures: 0 })

  const small = pool.json(server.url('/small'))
  expect(pool.stats().queued).toBe(1)
  clock.advance(bodyLeakTimeout)
  expect(await small).toBe('served')
  expect(await Promise.race(errors)).toMatchObject({
    code: 'ERR_MILLRACE_BODY_LEAK',
    timeout: bodyLeakTimeout,
  })
})

test('bodies that nobody reads hold up a pool that closes no longer than that', async () => {
  const { body } = await pool.request(server.url('/large'))
  const failed = new Promise(resolve => body.on('error', resolve))
  await expect.poll(() => pool.stats().deadlines).toBe(1)
  const closed = pool.close()
  clock.advance(bodyLeakTimeout)
  expect(await failed).toMatchObject({ code: 'ERR_MILLRACE_BODY_LEAK' })
  await closed
  expect(pool.stats()).toMatchObject({ pending: 0, connections: 0, deadlines: 0 })
})

test('a slow reader is no leak', async () => {
  const bodies = await Promise.all([1, 2].map(() => pool.request(server.url('/large'))))
  const small = pool.json(server.url('/small'))
  expect(pool.stats().queued).toBe(1)
  const read = async (body: AsyncIterable<Uint8Array>): Promise<number> => {
    let length = 0
    for await (const chunk of body) {
      // Many times the timeout in all.
      if (length % 500_000 > (length + chunk.length) % 500_000) clock.advance(bodyLeakTimeout / 3)
      length += chunk.length
      await new Promise(setImmediate)
    }
    return length
  }
  expect(await Promise.all(bodies.map(({ body }) => read(body)))).toEqual([5_000_000, 5_000_000])
  expect(clock.now()).toBeGreaterThan(3 * bodyLeakTimeout)
  expect(await small).toBe('served')
})
