import { UpstreamServer } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HttpPool, type HttpPoolOptions } from '../index.ts'

// What users give to a pool is called deep inside it. If it throws, one call fails with that very error, and
// nothing is left behind.

let server: UpstreamServer
let pool: HttpPool

beforeEach(async () => {
  server = await UpstreamServer.start()
})

afterEach(async () => {
  await pool.destroy()
  await server.kill()
})

const boom = new Error('a bug of the caller')

/** Throws at its n-th call. */
function throwsAt<T>(nth: number, otherwise: T): () => T {
  let calls = 0
  return () => {
    if (++calls === nth) throw boom
    return otherwise
  }
}

function makePool(options: HttpPoolOptions): void {
  pool = new HttpPool({ retry: { baseDelay: 0 }, breaker: true, ...options })
}

async function expectCleanFailure(call: () => Promise<unknown>): Promise<void> {
  await expect(call()).rejects.toBe(boom)
  const clean = { pending: 0, queued: 0, deadlines: 0 }
  await expect.poll(() => pool.stats()).toMatchObject(clean)
  server.on('*', { body: '"next"' })
  expect(await pool.json(server.url('/next'), { totalTimeout: 60_000 })).toBe('next')
  await pool.close()
  expect(pool.stats()).toMatchObject({ ...clean, connections: 0 })
}

describe.each([
  ['first', 1],
  ['second', 2],
])('at the %s attempt', (_name, nth) => {
  beforeEach(() => {
    server.on('*', 503)
  })

  test('injectHeaders', async () => {
    makePool({ injectHeaders: throwsAt(nth, undefined) })
    await expectCleanFailure(() => pool.request(server.url('/')))
  })

  test('a function that makes the body', async () => {
    makePool({})
    const body = throwsAt(nth, 'text')
    await expectCleanFailure(() => pool.request(server.url('/'), { body, retry: true }))
  })

  test('tryAcquire of a limiter', async () => {
    const tryAcquire = throwsAt(nth, true)
    makePool({ limiter: { acquire: async () => true, tryAcquire } })
    await expectCleanFailure(() => pool.request(server.url('/')))
  })

  test('acquire of a limiter, at once', async () => {
    makePool({ limiter: { acquire: throwsAt(nth, Promise.resolve(true)) } })
    await expectCleanFailure(() => pool.request(server.url('/')))
  })
})

test('the function that makes a limiter', async () => {
  makePool({ limiter: throwsAt(1, { acquire: async () => true }) })
  await expectCleanFailure(() => pool.request(server.url('/')))
})

test('the rule for addresses, asked for an address and for a name', async () => {
  makePool({ addresses: throwsAt(1, true) })
  await expectCleanFailure(() => pool.request(server.url('/'), { retry: false }))
  makePool({ addresses: throwsAt(1, true) })
  const named = server.url('/').replace('127.0.0.1', 'localhost')
  await expectCleanFailure(() => pool.request(named, { retry: false }))
})

test('the lookup', async () => {
  makePool({ lookup: throwsAt(1, undefined) as never })
  const named = server.url('/').replace('127.0.0.1', 'localhost')
  await expectCleanFailure(() => pool.request(named, { retry: false }))
})
