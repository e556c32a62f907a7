import { VirtualClock } from '@millrace/testkit'
import { expect, test } from 'vitest'
import type { HttpPool } from '../index.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'

const makePool = useUpstream({ retry: false })

const status = async (pool: HttpPool): Promise<number> => {
  const { statusCode, body } = await pool.request(server.url('/'))
  await body.dump()
  return statusCode
}

test('the rest of the quota is not overdrawn, and calls that cannot wait fail at once', async () => {
  server.on('*', ({ index }) => ({
    headers: { ratelimit: `"d";r=${Math.max(0, 2 - index)};t=1` },
    body: '1',
  }))
  const clock = new VirtualClock()
  const pool = makePool({ learnLimits: true, clock })
  for (let i = 0; i < 3; i++) await pool.json(server.url('/'))
  await expect(pool.json(server.url('/'), { acquireTimeout: 50 })).rejects.toMatchObject({
    code: 'ERR_MILLRACE_SERVER_LIMIT',
    retryAfter: expect.any(Number),
  })
  const waiting = pool.json(server.url('/'))
  clock.advance(500)
  await new Promise(setImmediate)
  expect(pool.stats().attempts).toBe(3)
  clock.advance(500)
  await waiting
  expect(server.requests).toHaveLength(4)
})

test('a retry that they put off for too long is not begun: the last response is the result', async () => {
  server.on('*', { status: 503, headers: { ratelimit: '"d";r=0;t=9' }, body: 'busy' })
  const clock = new VirtualClock()
  const pool = makePool({ learnLimits: true, retry: { baseDelay: 1 }, clock })
  const { statusCode, body } = await pool.request(server.url('/'), { totalTimeout: 5_000 })
  expect([statusCode, await body.text()]).toEqual([503, 'busy'])
  expect(pool.stats()).toMatchObject({ attempts: 1, retries: 0, deadlines: 0 })
})

test('leave no room for a hedge that there is no quota for', async () => {
  server.on('/', { body: '1' }, { headers: { ratelimit: '"d";r=1;t=600' }, body: '1' })
  const held = Promise.withResolvers<void>()
  server.on('/slow', async () => {
    await held.promise
    return { body: '"first"' }
  })
  const clock = new VirtualClock()
  const pool = makePool({ learnLimits: true, hedge: { delay: 200, extra: 0.5 }, clock })
  for (let i = 0; i < 2; i++) await pool.json(server.url('/'))
  const first = pool.json(server.url('/slow'))
  await expect.poll(() => server.requests.length).toBe(3)
  clock.advance(400)
  held.resolve()
  expect(await first).toBe('first')
  expect(pool.stats().hedges).toBe(0)
  expect(server.requests).toHaveLength(3)
})

test('a call that is refused takes no place in what is left', async () => {
  const quota = { 'ratelimit-policy': '"d";q=100', ratelimit: '"d";r=10;t=10' }
  server.on('*', { headers: quota, body: '1' })
  const clock = new VirtualClock()
  const pool = makePool({ learnLimits: true, clock })
  await pool.json(server.url('/'))
  await pool.json(server.url('/'))
  // The next place is a second away.
  for (let i = 0; i < 20; i++) {
    const refused = pool.json(server.url('/'), { acquireTimeout: 100 })
    await expect(refused).rejects.toMatchObject({ name: 'ServerLimitError', retryAfter: 1_000 })
  }
  const paced = pool.json(server.url('/'))
  clock.advance(1_000)
  expect(await paced).toBe(1)
})

test('a 429 holds back all requests to the host', async () => {
  server.on('*', { status: 429, headers: { 'retry-after': '1' } }, 200)
  const pool = makePool({ learnLimits: true })
  const start = performance.now()
  expect(await status(pool)).toBe(429)
  expect(await Promise.all([status(pool), status(pool)])).toEqual([200, 200])
  expect(performance.now() - start).toBeGreaterThanOrEqual(1_000)
})
