import { VirtualClock } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as adaptive from './adaptive.ts'
import { LimiterClosedError } from './errors.ts'
import * as http from './http.ts'
import * as limits from './index.ts'
import * as jobs from './jobs.ts'
import * as shared from './redis.ts'

/** Any limiter, with those of these methods that it has. */
type Closable = Readonly<Record<string, (...args: unknown[]) => unknown>>

/** What asks for permits, or tells how many there are: a key comes first where there are keys. */
const ASKING = ['tryAcquire', 'acquire', 'decide', 'run', 'schedule', 'get', 'key']

/** What goes on: it gives back, reports, or closes again. */
const LEFT = ['stats', 'close']

const local: Record<string, () => unknown> = {
  TokenBucket: () => new limits.TokenBucket({ rate: 1, burst: 9 }),
  SlidingWindow: () => new limits.SlidingWindow({ limit: 9, window: 1_000 }),
  CombinedLimiter: () => limits.combine([new limits.TokenBucket({ rate: 1, burst: 9 })]),
  Semaphore: () => new limits.Semaphore({ permits: 9 }),
  AdaptiveSemaphore: () => new adaptive.AdaptiveSemaphore(),
  LearnedLimit: () => new http.LearnedLimit({ rate: 9 }),
  KeyedLimiter: () => new limits.KeyedLimiter({ rate: 1, burst: 9 }),
  KeyedWindow: () => new limits.KeyedWindow({ limit: 9, window: 1_000 }),
  KeyedSemaphore: () => new limits.KeyedSemaphore({ permits: 9 }),
  JobScheduler: () => new jobs.JobScheduler(),
  JobGroup: () => new jobs.JobGroup(),
}

/** A client, and how long it is waited for in ms: no machine stands still for as long. */
interface Patient {
  readonly client: Redis
  readonly timeout: 60_000
}

const onRedis: Record<string, (patient: Patient) => unknown> = {
  RedisTokenBucket: patient =>
    new shared.RedisTokenBucket({ ...patient, id: 'a', rate: 1, burst: 9 }),
  'RedisTokenBucket with leases': patient =>
    new shared.RedisTokenBucket({ ...patient, id: 'b', rate: 1_000, leaseTtl: 1_000 }),
  RedisKeyedLimiter: patient =>
    new shared.RedisKeyedLimiter({ ...patient, id: 'c', rate: 1, burst: 9 }),
  RedisSlidingWindow: patient =>
    new shared.RedisSlidingWindow({ ...patient, id: 'd', limit: 9, window: 1_000 }),
  RedisKeyedWindow: patient =>
    new shared.RedisKeyedWindow({ ...patient, id: 'e', limit: 9, window: 1_000 }),
  RedisSemaphore: patient => new shared.RedisSemaphore({ ...patient, id: 'f', permits: 9 }),
  RedisKeyedSemaphore: patient =>
    new shared.RedisKeyedSemaphore({ ...patient, id: 'g', permits: 9 }),
}

function argumentsOf(limiter: Closable, method: string): unknown[] {
  const key = limiter.keyed || method === 'key' ? ['key'] : []
  return method === 'run' || method === 'schedule' ? [...key, () => 1] : key
}

/** @returns what asking for a permit came to, whether that is told at once or later */
async function ask(limiter: Closable, method: string): Promise<unknown> {
  return limiter[method]!(...argumentsOf(limiter, method))
}

async function closesLikeAll(limiter: Closable): Promise<void> {
  const asking = ASKING.filter(method => typeof limiter[method] === 'function')
  expect(asking.length).toBeGreaterThan(0)
  for (const method of asking) await ask(limiter, method)
  await limiter.close!()
  for (const method of asking) {
    await expect(ask(limiter, method), method).rejects.toThrow(LimiterClosedError)
  }
  for (const method of LEFT) await limiter[method]?.()
}

test('every class that can be closed is held to this', () => {
  const classes = Object.entries({ ...limits, ...adaptive, ...http, ...jobs, ...shared }).filter(
    ([, value]) => typeof value === 'function' && typeof value.prototype?.close === 'function',
  )
  const known = Object.keys({ ...local, ...onRedis })
  // Abstract: what every limit of one process is made of.
  const names = classes.map(([name]) => name).filter(name => name !== 'MeteredLimiter')
  expect(names.filter(name => !known.includes(name))).toEqual([])
  expect(names).toHaveLength(known.length - 1)
})

describe('once it is closed, what asks for permits is told so', () => {
  test.each(Object.entries(local))('%s', async (_, make) => {
    await closesLikeAll(make() as Closable)
  })

  test('what was granted before can be given back', async () => {
    const bucket = new limits.TokenBucket({ rate: 1, burst: 9 })
    const slots = new limits.Semaphore({ permits: 1 })
    const permit = slots.tryAcquire()
    bucket.tryAcquire(3)
    bucket.close()
    slots.close()
    bucket.refund(3)
    permit?.release()
    expect([bucket.stats().granted, slots.stats().active]).toEqual([0, 0])
  })

  test('a combination is open while one inside it is closed', () => {
    const inside = new limits.TokenBucket({ rate: 1, burst: 9 })
    const around = limits.combine([inside])
    inside.close()
    expect(around.tryAcquire()).toBe(true)
    around.close()
  })

  test('a request is answered by the policy for what is not available', async () => {
    const limiter = new limits.KeyedLimiter({ rate: 1, burst: 9 })
    limiter.close()
    const facts = { remoteAddress: '192.0.2.1', forwardedFor: undefined }
    const open = new http.HttpLimit({ limiter })
    const closed = new http.HttpLimit({ limiter, whenUnavailable: 'closed' })
    expect(await open.check({}, facts)).toMatchObject({ pass: true })
    expect(await closed.check({}, facts)).toMatchObject({ pass: false, status: 503 })
  })

  test('a server’s answer that comes later sets no timer', () => {
    const clock = new VirtualClock()
    const limit = new http.LearnedLimit({ rate: 9, clock })
    limit.close()
    limit.observe({ ratelimit: '"api";r=0;t=60' })
    expect(clock.pending).toBe(0)
  })
})

describeRedis('once it is closed on Redis, what asks for permits is told so', redis => {
  let patient: Patient
  beforeAll(async () => {
    const client = new Redis(redis.server.port)
    await client.ping()
    patient = { client, timeout: 60_000 }
  })
  afterAll(() => patient.client.disconnect())

  test.each(Object.entries(onRedis))('%s', async (_, make) => {
    await closesLikeAll(make(patient) as Closable)
  })

  test('a permit that comes while a semaphore is being closed is left again', async () => {
    const options = { ...patient, id: 'closing', permits: 1 }
    const closing = new shared.RedisSemaphore(options)
    const other = new shared.RedisSemaphore(options)
    const permit = closing.tryAcquire()
    await Promise.all([expect(permit).rejects.toThrow(LimiterClosedError), closing.close()])
    await using next = await other.tryAcquire()
    expect(next?.fence).toBeGreaterThan(0)
    await other.close()
  })

  test('who waits when a limiter is closed is told so', async () => {
    const window = new shared.RedisSlidingWindow({ ...patient, id: 'h', limit: 1, window: 60_000 })
    await window.acquire()
    const waiting = expect(window.acquire()).rejects.toThrow(LimiterClosedError)
    await window.close()
    await waiting
  })
})
