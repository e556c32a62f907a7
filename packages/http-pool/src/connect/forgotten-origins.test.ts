import { VirtualClock } from '@millrace/testkit'
import { beforeEach, expect, test } from 'vitest'
import type { HttpPool, HttpPoolOptions } from '../index.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'

const strangers = 1_200
let clock: VirtualClock
const makePool = useUpstream()

beforeEach(() => {
  clock = new VirtualClock()
})

/** A pool that reaches nothing but the upstream. */
function makeNarrowPool(options: HttpPoolOptions): HttpPool {
  const addresses = (address: string) => address === '127.0.0.1'
  return makePool({ addresses, clock, random: () => 1, ...options })
}

/** Calls more origins than a pool remembers; each call fails before there is a socket. */
async function callStrangers(pool: HttpPool, onCall: () => void = () => {}): Promise<void> {
  for (let i = 0; i < strangers; i++) {
    await pool.json(`http://127.1.${i >> 8}.${i & 255}/`).catch(onCall)
  }
}

test('origins that are forgotten stay in the sums', async () => {
  const pool = makeNarrowPool({ retry: false })
  let last = pool.stats()
  await callStrangers(pool, () => {
    const stats = pool.stats()
    for (const name of ['requests', 'attempts', 'failures', 'created'] as const) {
      expect(stats[name]).toBe(last[name] + 1)
    }
    last = stats
  })
  expect(Object.keys(last.origins).length).toBeLessThanOrEqual(1_000)
})

test('an origin is not forgotten while a request to it waits for its next attempt', async () => {
  server.on('*', { fault: 'reset' }, { body: '1' })
  const pool = makeNarrowPool({ retry: { baseDelay: 100 } })
  const answer = pool.json(server.url('/'))
  await expect.poll(() => pool.stats()).toMatchObject({ retries: 1, open: 0 })
  await callStrangers(pool)
  clock.advance(100)
  expect(await answer).toBe(1)
  expect(pool.stats().origins[server.origin]).toMatchObject({ requests: 1, attempts: 2, open: 1 })
  await pool.close()
  expect(pool.stats().connections).toBe(0)
})

test('an origin is not forgotten while a request to it waits for a permit', async () => {
  server.on('*', { body: '1' })
  const permit = Promise.withResolvers<void>()
  const pool = makeNarrowPool({
    origins: { [server.origin]: { limiter: { acquire: () => permit.promise } } },
  })
  const answer = pool.json(server.url('/'))
  await callStrangers(pool)
  permit.resolve()
  expect(await answer).toBe(1)
  expect(pool.stats().origins[server.origin]).toMatchObject({ requests: 1, attempts: 1, open: 1 })
})

test('an origin is not forgotten while its breaker is open', async () => {
  server.on('*', 500)
  const pool = makeNarrowPool({ retry: false, breaker: { minimumAttempts: 5, cooldown: 1_000 } })
  for (let i = 0; i < 5; i++) await pool.json(server.url('/')).catch(() => {})
  await server.restart()
  await expect.poll(() => pool.stats().open).toBe(0)
  await callStrangers(pool)
  await expect(pool.json(server.url('/'))).rejects.toMatchObject({ name: 'BreakerOpenError' })
  clock.advance(1_000)
  await callStrangers(pool)
  expect(pool.stats().origins[server.origin]).toBeUndefined()
})
