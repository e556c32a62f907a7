import { Semaphore, TokenBucket } from '@millrace/rate-limit'
import { AdaptiveSemaphore, Aimd } from '@millrace/rate-limit/adaptive'
import { UpstreamServer, VirtualClock } from '@millrace/testkit'
import { describe, expect, test } from 'vitest'
import type { HttpPool, Limiter, RequestOptions } from '../index.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'

const makePool = useUpstream({ retry: false })

const status = async (pool: HttpPool, path = '/', options?: RequestOptions): Promise<number> => {
  const { statusCode, body } = await pool.request(server.url(path), options)
  await body.dump()
  return statusCode
}

describe('breaker', () => {
  const breaker = { minimumAttempts: 5, cooldown: 100 }

  test('stops sending to a host that fails, and comes back', async () => {
    server.on('*', 500)
    const clock = new VirtualClock()
    const pool = makePool({ breaker, clock, random: () => 0 })
    for (let i = 0; i < 5; i++) expect(await status(pool)).toBe(500)
    await expect(status(pool)).rejects.toMatchObject({
      name: 'BreakerOpenError',
      code: 'ERR_MILLRACE_BREAKER_OPEN',
      retryAfter: 100,
    })
    expect(server.requests).toHaveLength(5)
    expect(pool.stats().origins[server.origin]).toMatchObject({ breaker: 2, breakerOpened: 1 })
    server.on('*', 200)
    clock.advance(100)
    expect(await status(pool)).toBe(200)
    expect(pool.stats().origins[server.origin]!.breaker).toBe(1)
    // From 5 % to all of them in five steps of 20 ms.
    clock.advance(100)
    expect(await status(pool)).toBe(200)
    expect(pool.stats().origins[server.origin]!.breaker).toBe(0)
  })

  test('counts connection errors and time-outs, not what callers abort', async () => {
    server.on('*', { fault: 'hang' })
    const pool = makePool({ breaker: { ...breaker, cooldown: 60_000 }, headersTimeout: 20 })
    for (let i = 0; i < 10; i++) {
      const controller = new AbortController()
      const aborted = pool.request(server.url('/'), { signal: controller.signal })
      setImmediate(() => controller.abort())
      await expect(aborted).rejects.toThrow()
    }
    expect(pool.stats().origins[server.origin]!.breaker).toBe(0)
    for (let i = 0; i < 5; i++) {
      await expect(status(pool)).rejects.toMatchObject({ phase: 'headers' })
    }
    expect(pool.stats().origins[server.origin]!.breaker).toBe(2)
  })

  test('what was sent before it opened lets no further probe through', async () => {
    const clock = new VirtualClock()
    const pool = makePool({ breaker, clock, random: () => 0, connectionsPerHost: 20 })
    server.on('/hang', { fault: 'hang' })
    server.on('/', 500)
    const controller = new AbortController()
    const old = pool.request(server.url('/hang'), { signal: controller.signal }).catch(() => 0)
    await expect.poll(() => server.requests.length).toBe(1)
    for (let i = 0; i < 5; i++) await status(pool)
    clock.advance(100)
    const probe = pool.request(server.url('/hang')).catch(error => error)
    await expect.poll(() => server.requests.length).toBe(7)
    controller.abort()
    await old
    await expect(status(pool)).rejects.toMatchObject({
      name: 'BreakerOpenError',
      message: `The breaker for ${server.origin} lets only a few through`,
      retryAfter: 0,
    })
    await pool.destroy()
    expect((await probe).code).toBe('ERR_MILLRACE_POOL_CLOSED')
  })

  test('of one host leaves others alone', async () => {
    await using other = await UpstreamServer.start()
    server.on('*', 500)
    const pool = makePool({ breaker })
    for (let i = 0; i < 5; i++) await status(pool)
    const { statusCode, body } = await pool.request(other.url('/'))
    await body.dump()
    expect(statusCode).toBe(200)
  })

  test('an open breaker ends the retries, and the last response is the result', async () => {
    server.on('*', 503)
    const patient = { ...breaker, cooldown: 60_000 }
    const pool = makePool({ breaker: patient, retry: { baseDelay: 0, maxAttempts: 10 } })
    expect(await status(pool)).toBe(503)
    expect(server.requests).toHaveLength(5)
    // The attempts after the first: the one that the breaker refused has cost nothing.
    expect(pool.stats()).toMatchObject({ retries: 4, retryBudget: 100 - 4 })
  })

  test('that refuses a retry leaves its token in the budget', async () => {
    const clock = new VirtualClock()
    const pool = makePool({ breaker, clock, random: () => 0, connectionsPerHost: 20 })
    let release = () => {}
    const gate = new Promise<void>(resolve => {
      release = resolve
    })
    server.on('/busy', async () => {
      await gate
      return 503
    })
    server.on('/', 500)
    const before = pool.stats().retryBudget
    const busy = pool.request(server.url('/busy'), { retry: true })
    await expect.poll(() => server.requests.length).toBe(1)
    // It opens, and is half-open with its only probe under way.
    for (let i = 0; i < 5; i++) await status(pool)
    clock.advance(100)
    server.on('/', { fault: 'hang' })
    const probe = pool.request(server.url('/')).catch(error => error)
    await expect.poll(() => server.requests.length).toBe(7)
    release()
    const { statusCode, body } = await busy
    await body.dump()
    expect(statusCode).toBe(503)
    expect(pool.stats()).toMatchObject({ retries: 0, retryBudget: before + 1 })
    await pool.destroy()
    await probe
  })
})

describe('throttle', () => {
  test('rejects here what the host rejects there', async () => {
    server.on('*', 503)
    const pool = makePool({ throttle: true })
    const results: PromiseSettledResult<number>[] = []
    for (let i = 0; i < 30; i++) {
      results.push(...(await Promise.allSettled(Array.from({ length: 10 }, () => status(pool)))))
    }
    const refused = results.filter(({ status }) => status === 'rejected')
    for (const each of refused) {
      expect((each as PromiseRejectedResult).reason).toMatchObject({
        code: 'ERR_MILLRACE_THROTTLED',
        probability: expect.any(Number),
      })
    }
    expect(refused.length).toBeGreaterThan(200)
    expect(pool.stats().origins[server.origin]!.throttled).toBe(refused.length)
  })

  test('that refuses a retry leaves the caller the last response', async () => {
    server.on('*', 503)
    const pool = makePool({ throttle: true, retry: { baseDelay: 1 }, random: () => 0 })
    const { statusCode, body } = await pool.request(server.url('/'))
    expect([statusCode, await body.text()]).toEqual([503, '503'])
    expect(pool.stats()).toMatchObject({ attempts: 1, retries: 0, deadlines: 0 })
    expect(pool.stats().origins[server.origin]!.throttled).toBe(1)
  })
})

describe('hedge', () => {
  test('a slow answer is overtaken by a second attempt', async () => {
    let slow = false
    server.on('*', () => {
      if (!slow) return { body: '"fast"' }
      slow = false
      return { fault: 'hang' }
    })
    const clock = new VirtualClock()
    const pool = makePool({ hedge: { delay: 200, extra: 0.5 }, clock })
    for (let i = 0; i < 5; i++) await pool.json(server.url('/'))
    slow = true
    const overtaken = pool.json(server.url('/'))
    await expect.poll(() => server.requests.length).toBe(6)
    clock.advance(200)
    expect(await overtaken).toBe('fast')
    expect(pool.stats()).toMatchObject({ hedges: 1, hedgesWon: 1, pending: 0, deadlines: 0 })
  })

  test('waits for the other if the first to end has failed', async () => {
    let calls = 0
    const held = Promise.withResolvers<void>()
    server.on('*', async () => {
      calls++
      if (calls <= 5) return { body: '"warm"' }
      if (calls > 6) return { fault: 'reset' }
      await held.promise
      return { body: '"first"' }
    })
    const clock = new VirtualClock()
    const pool = makePool({ hedge: { delay: 200, extra: 0.5 }, clock })
    for (let i = 0; i < 5; i++) await pool.json(server.url('/'))
    const first = pool.json(server.url('/'))
    await expect.poll(() => server.requests.length).toBe(6)
    clock.advance(200)
    await expect.poll(() => server.requests.length).toBe(7)
    await expect.poll(() => pool.stats().connections).toBe(1)
    held.resolve()
    expect(await first).toBe('first')
    expect(pool.stats()).toMatchObject({ hedges: 1, hedgesWon: 0, pending: 0 })
  })

  test('is for idempotent requests, and within its budget', async () => {
    server.on('*', { body: '1', latency: 10 })
    const pool = makePool({ hedge: { delay: 1, extra: 0.1 }, connectionsPerHost: 50 })
    await Promise.all(Array.from({ length: 100 }, () => pool.json(server.url('/'))))
    expect(pool.stats().hedges).toBeLessThanOrEqual(10)
    expect(pool.stats().hedges).toBeGreaterThan(0)
    const before = pool.stats().hedges
    await Promise.all(Array.from({ length: 100 }, () => pool.json(server.url('/'), { json: 1 })))
    expect(pool.stats().hedges).toBe(before)
  })

  test('the delay follows the measured latencies', async () => {
    server.on('/', () => ({ body: '1', latency: 2 }))
    let arrivals = 0
    server.on('/slow', () => ({ body: '1', latency: ++arrivals === 1 ? 60_000 : 2 }))
    // No hedge goes out before the twentieth answer, and by then the budget holds exactly one.
    const pool = makePool({ hedge: { extra: 0.05, minimumAnswers: 20 } })
    for (let i = 0; i < 20; i++) await pool.json(server.url('/'))
    expect(await pool.json(server.url('/slow'))).toBe(1)
    expect(pool.stats()).toMatchObject({ hedges: 1, hedgesWon: 1 })
  })
})

describe('limiter', () => {
  test('a Semaphore bounds what is in flight and gets every permit back', async () => {
    server.on('/ok', { body: '1', latency: 5 })
    server.on('/reset', { fault: 'reset' })
    server.on('/503', 503)
    const limiter = new Semaphore({ permits: 3 })
    const pool = makePool({ limiter, retry: { baseDelay: 1, maxAttempts: 2 } })
    const paths = ['/ok', '/reset', '/503']
    await Promise.allSettled(
      Array.from({ length: 60 }, (_, i) => pool.json(server.url(paths[i % 3]!))),
    )
    expect(server.stats().peakActive).toBeLessThanOrEqual(3)
    await expect.poll(() => limiter.stats().active).toBe(0)
  })

  test('a TokenBucket paces attempts, retries included', async () => {
    server.on('*', 503)
    const limiter = new TokenBucket({ rate: 100, burst: 1 })
    const pool = makePool({ limiter, retry: { baseDelay: 0, maxAttempts: 3 } })
    const start = performance.now()
    await Promise.all(Array.from({ length: 5 }, () => status(pool)))
    expect(server.requests).toHaveLength(15)
    expect(performance.now() - start).toBeGreaterThanOrEqual(139)
  })

  test('a caller that aborts while it waits leaves the queue of the limiter', async () => {
    server.on('*', { fault: 'hang' })
    const limiter = new Semaphore({ permits: 1 })
    const pool = makePool({ limiter })
    const holder = new AbortController()
    const held = pool.request(server.url('/'), { signal: holder.signal })
    const waiter = new AbortController()
    const waiting = pool.request(server.url('/'), { signal: waiter.signal })
    waiter.abort(new Error('gone'))
    await expect(waiting).rejects.toThrow('gone')
    expect(limiter.stats().waiting).toBe(0)
    holder.abort(new Error('done'))
    await expect(held).rejects.toThrow('done')
    expect(limiter.stats()).toMatchObject({ active: 0, waiting: 0 })
    expect(pool.stats().deadlines).toBe(0)
  })

  test('an AdaptiveSemaphore hears how attempts went, and lets fewer in while their host has too much to do', async () => {
    server.on('/ok', { body: '1' })
    server.on('/busy', 503)
    server.on('/hang', { fault: 'hang' })
    server.on('/reset', { fault: 'reset' })
    const limiter = new AdaptiveSemaphore({
      algorithm: new Aimd(),
      initial: 8,
      window: 1,
      minSamples: 4,
    })
    const pool = makePool({ limiter })
    const call = (path: string, options?: RequestOptions) =>
      Promise.allSettled(Array.from({ length: 12 }, () => status(pool, path, options)))
    await call('/ok')
    await call('/reset')
    expect(limiter.stats()).toMatchObject({ dropped: 0, active: 0 })
    const before = limiter.stats().limit
    await call('/busy')
    expect(limiter.stats().dropped).toBe(12)
    await call('/hang', { headersTimeout: 30 })
    expect(limiter.stats()).toMatchObject({ dropped: 24, active: 0 })
    expect(limiter.stats().limit).toBeLessThan(before)
  })

  test('its refusal is the error of the call', async () => {
    const limiter: Limiter = { acquire: () => Promise.reject(new Error('not today')) }
    await expect(status(makePool({ limiter }))).rejects.toThrow('not today')
  })

  test('that answers tryAcquire with a promise is awaited, and asked again when it refuses', async () => {
    const asked: string[] = []
    const limiter = (granted: boolean): Limiter => ({
      tryAcquire: async () => {
        asked.push('tryAcquire')
        return granted
      },
      acquire: async () => {
        asked.push('acquire')
      },
    })
    expect(await status(makePool({ limiter: limiter(true) }))).toBe(200)
    expect(asked).toEqual(['tryAcquire'])
    expect(await status(makePool({ limiter: limiter(false) }))).toBe(200)
    expect(asked).toEqual(['tryAcquire', 'tryAcquire', 'acquire'])
  })

  test('one for each origin', async () => {
    const made: string[] = []
    const pool = makePool({
      limiter: origin => {
        made.push(origin)
        return new Semaphore({ permits: 1 })
      },
    })
    await status(pool)
    await status(pool)
    expect(made).toEqual([server.origin])
  })

  test('is not waited for beyond the acquire timeout', async () => {
    const pool = makePool({ limiter: { acquire: () => new Promise(() => {}) }, acquireTimeout: 30 })
    await expect(status(pool)).rejects.toMatchObject({ phase: 'acquire' })
    expect(pool.stats()).toMatchObject({ deadlines: 0, pending: 0 })
  })
})
