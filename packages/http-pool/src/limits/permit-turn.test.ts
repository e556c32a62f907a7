import { nextWarning, VirtualClock } from '@millrace/testkit'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Limiter } from '../index.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'

const makePool = useUpstream({ retry: false })
const idle = { pending: 0, queued: 0, deadlines: 0 }

beforeEach(() => {
  server.on('*', { body: '1' })
})

describe('a release that fails is a warning, and the call has its response', () => {
  const failure = new Error('the permit is gone')

  test.each<[string, () => unknown]>([
    [
      'by throwing',
      () => {
        throw failure
      },
    ],
    ['by a rejection', () => Promise.reject(failure)],
  ])('%s', async (_name, release) => {
    const pool = makePool({ limiter: { acquire: async () => ({ release }) } })
    const warned = nextWarning(warning => warning === failure)
    expect(await pool.json(server.url('/'))).toBe(1)
    await warned
    expect(pool.stats()).toMatchObject(idle)
  })
})

test('a permit may be given at once', async () => {
  const outcomes: unknown[] = []
  const permit = { release: (outcome: unknown) => outcomes.push(outcome) }
  const limiter = { acquire: () => permit } as unknown as Limiter
  const pool = makePool({ limiter })
  expect(await pool.json(server.url('/'))).toBe(1)
  expect(outcomes).toEqual(['success'])
})

test('a limiter that throws, as one that is closed, fails the call, its repetitions too', async () => {
  const closed = new Error('closed')
  let calls = 0
  const fail = () => {
    if (calls++ > 0) throw closed
    return true
  }
  const limiter = { tryAcquire: fail, acquire: fail } as unknown as Limiter
  server.on('*', { status: 503 })
  const retry = { baseDelay: 1, maxDelay: 1 }
  const pool = makePool({ limiter, retry })
  await expect(pool.json(server.url('/'))).rejects.toBe(closed)
  await expect(pool.json(server.url('/'))).rejects.toBe(closed)
  expect(pool.stats()).toMatchObject(idle)
})

test('a function that makes no limiter is an error of its option', async () => {
  const pool = makePool({ limiter: () => 3 as never })
  await expect(pool.json(server.url('/'))).rejects.toMatchObject({
    code: 'ERR_MILLRACE_INVALID_OPTION',
    option: 'limiter',
  })
  expect(pool.stats()).toMatchObject(idle)
})

test.each([
  ['totalTimeout', { totalTimeout: 50 }, 'ERR_MILLRACE_HTTP_TOTAL_TIMEOUT'],
  ['acquireTimeout', { acquireTimeout: 50 }, 'ERR_MILLRACE_HTTP_ACQUIRE_TIMEOUT'],
])(
  'a limiter that has waited for %s does not say so in words of its own',
  async (_name, timeouts, code) => {
    const clock = new VirtualClock()
    const limiter: Limiter = {
      acquire: ({ timeout }) =>
        new Promise((_resolve, reject) => {
          clock.setTimer(() => reject(new Error(`no permit within ${timeout} ms`)), timeout!)
        }),
    }
    const pool = makePool({ limiter, clock })
    const call = pool.json(server.url('/'), timeouts)
    const failed = expect(call).rejects.toMatchObject({ code, timeout: 50 })
    clock.advance(50)
    await failed
    expect(pool.stats()).toMatchObject(idle)
  },
)
