import { Readable } from 'node:stream'
import { FaultProxy, type Reply, UpstreamServer, VirtualClock } from '@millrace/testkit'
import { describe, expect, test } from 'vitest'
import type { HttpPool } from '../index.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'

const makePool = useUpstream({ retry: { baseDelay: 1 } })

async function read(response: ReturnType<HttpPool['request']>): Promise<[number, string]> {
  const { statusCode, body } = await response
  return [statusCode, await body.text()]
}

describe('statuses', () => {
  test.each([408, 425, 429, 500, 502, 503, 504])('%d is tried again', async status => {
    server.on('/', status, status, { body: 'at last' })
    expect(await read(makePool().request(server.url('/')))).toEqual([200, 'at last'])
  })

  test('the last response is the result when attempts are used up, with its body', async () => {
    server.on('/', ...([1, 2, 3].map(n => ({ status: 503, body: `busy ${n}` })) as [Reply]))
    const pool = makePool()
    expect(await read(pool.request(server.url('/')))).toEqual([503, 'busy 3'])
    expect(pool.stats()).toMatchObject({ requests: 1, attempts: 3, retries: 2 })
  })

  test('other statuses are not', async () => {
    server.on('/', 404, 200)
    expect(await read(makePool().request(server.url('/')))).toEqual([404, '404'])
  })

  test('a POST is sent once, unless told otherwise', async () => {
    server.on('/', 503, 200)
    const pool = makePool()
    const post = { method: 'POST', body: 'x' } as const
    expect(await read(pool.request(server.url('/'), post))).toEqual([503, '503'])
    server.on('/', 503, 200)
    expect(await read(pool.request(server.url('/'), { ...post, retry: true }))).toEqual([
      200,
      '200',
    ])
    expect(server.requests.map(({ body }) => body.toString())).toEqual(['x', 'x', 'x'])
  })

  test('headers that can be read only once are sent every time', async () => {
    const names = () => new Map([['x-name', 'value']])
    for (const options of [{}, { coalesce: true }, { decompress: true }]) {
      server.on('/', 503, 200)
      const pool = makePool(options)
      await read(pool.request(server.url('/'), { headers: names().entries() }))
      await read(Promise.resolve(await pool.request(server.url('/'), { headers: names() })))
    }
    expect(server.requests.map(({ headers }) => headers['x-name'])).toEqual(Array(9).fill('value'))
  })

  test('retry: false sends once', async () => {
    server.on('/', 503, 200)
    expect(await read(makePool().request(server.url('/'), { retry: false }))).toEqual([503, '503'])
  })

  test('the connection of a discarded response is used again', async () => {
    server.on('/', { status: 503, body: Buffer.alloc(50_000) }, { body: 'ok' })
    const clock = new VirtualClock()
    const pool = makePool({ retry: { baseDelay: 50 }, random: () => 1, clock })
    const response = read(pool.request(server.url('/')))
    await expect.poll(() => pool.stats()).toMatchObject({ retries: 1, idle: 1 })
    clock.advance(50)
    expect(await response).toEqual([200, 'ok'])
    expect(server.stats().accepted).toBe(1)
  })

  test('a long response is cut off rather than read to its end', async () => {
    server.on('/', { status: 503, body: Buffer.alloc(5_000_000) }, { body: 'ok' })
    const pool = makePool()
    expect(await read(pool.request(server.url('/')))).toEqual([200, 'ok'])
    expect(pool.stats().created).toBe(2)
  })
})

describe('delays', () => {
  test('Retry-After is the least delay', async () => {
    server.on('/', { status: 429, headers: { 'retry-after': '1' } }, 200)
    const start = performance.now()
    expect((await read(makePool().request(server.url('/'))))[0]).toBe(200)
    expect(performance.now() - start).toBeGreaterThanOrEqual(1_000)
  })

  test('Retry-After may be a date, which is compared with that of the response', async () => {
    const headers = {
      date: 'Fri, 20 Nov 2026 10:00:00 GMT',
      'retry-after': 'Fri, 20 Nov 2026 10:00:05 GMT',
    }
    server.on('/', { status: 503, headers }, 200)
    const clock = new VirtualClock()
    const pool = makePool({ clock, random: () => 0 })
    const response = read(pool.request(server.url('/')))
    await expect.poll(() => pool.stats().retries).toBe(1)
    clock.advance(4_999)
    expect(pool.stats().attempts).toBe(1)
    clock.advance(1)
    expect((await response)[0]).toBe(200)
  })

  test('a Retry-After beyond the deadline or the longest delay ends the attempts at once', async () => {
    server.on('/', { status: 503, headers: { 'retry-after': '30' } }, 200)
    // No time passes on it.
    const pool = makePool({ clock: new VirtualClock() })
    expect((await read(pool.request(server.url('/'), { totalTimeout: 5_000 })))[0]).toBe(503)
    server.on('/', { status: 503, headers: { 'retry-after': '30' } }, 200)
    expect((await read(pool.request(server.url('/'))))[0]).toBe(503)
  })

  test('grow with full jitter', async () => {
    server.on('/', 503)
    const times: number[] = []
    server.on('/', () => {
      times.push(performance.now())
      return 503
    })
    const pool = makePool({ retry: { baseDelay: 40, maxAttempts: 4 }, random: () => 0.5 })
    await read(pool.request(server.url('/')))
    const gaps = times.slice(1).map((time, i) => time - times[i]!)
    expect(gaps[0]).toBeGreaterThanOrEqual(19)
    expect(gaps[1]).toBeGreaterThanOrEqual(39)
    expect(gaps[2]).toBeGreaterThanOrEqual(79)
  })

  test('no connection is held while waiting', async () => {
    server.on('/retried', 503, 200)
    server.on('/other', { body: 'between' })
    const clock = new VirtualClock()
    const retry = { baseDelay: 200 }
    const pool = makePool({ connectionsPerHost: 1, retry, random: () => 1, clock })
    const retried = read(pool.request(server.url('/retried')))
    await expect.poll(() => pool.stats().retries).toBe(1)
    expect(await read(pool.request(server.url('/other')))).toEqual([200, 'between'])
    expect(server.requests.map(({ url }) => url)).toEqual(['/retried', '/other'])
    clock.advance(200)
    expect((await retried)[0]).toBe(200)
  })
})

describe('connection errors', () => {
  test('a reset before the answer is tried again for idempotent methods only', async () => {
    server.on('/', { fault: 'reset' }, { body: 'ok' })
    expect(await read(makePool().request(server.url('/')))).toEqual([200, 'ok'])
    server.on('/', { fault: 'reset' }, { body: 'ok' })
    await expect(
      makePool().request(server.url('/'), { method: 'POST', body: 'x' }),
    ).rejects.toMatchObject({ code: expect.stringMatching(/ECONNRESET|UND_ERR_SOCKET/) })
  })

  test('a refused connect is tried again for every method, as nothing was sent', async () => {
    const { port } = server
    await server.kill()
    const clock = new VirtualClock()
    const pool = makePool({ retry: { baseDelay: 400, maxAttempts: 2 }, random: () => 1, clock })
    const response = read(
      pool.request(`http://127.0.0.1:${port}/`, { method: 'POST', body: 'once' }),
    )
    await expect.poll(() => pool.stats().retries).toBe(1)
    await server.restart()
    clock.advance(400)
    expect((await response)[0]).toBe(200)
    expect(server.requests).toHaveLength(1)
  })

  test('a stream is not sent twice; one that is made for each attempt is', async () => {
    const stream = () => Readable.from([Buffer.from('ab'), Buffer.from('cd')])
    server.on('/', 503, 200)
    const pool = makePool()
    expect((await read(pool.request(server.url('/'), { method: 'PUT', body: stream() })))[0]).toBe(
      503,
    )
    server.on('/', 503, 200)
    expect((await read(pool.request(server.url('/'), { method: 'PUT', body: stream })))[0]).toBe(
      200,
    )
    expect(server.requests.map(({ body }) => body.toString())).toEqual(['abcd', 'abcd', 'abcd'])
  })

  test('a stream with retries demanded is refused before anything is sent', async () => {
    await expect(
      makePool().request(server.url('/'), {
        method: 'PUT',
        body: Readable.from(['x']),
        retry: true,
      }),
    ).rejects.toMatchObject({ code: 'ERR_MILLRACE_INVALID_REQUEST', part: 'body' })
    expect(server.stats().accepted).toBe(0)
  })

  const value = { value: 'x'.repeat(20) }
  const { length } = JSON.stringify(value)

  test.each([
    ['with its length', {}, length],
    // With the size of the only chunk, the ends of both lines, and the last chunk.
    ['in chunks', { 'content-length': undefined }, length + '1f\r\n'.length + 7],
  ])(
    'a reset at every byte of a response %s: json() gets the value, request() all of it or an error',
    async (_name, headers, bodyLength) => {
      server.on('/', { body: value, headers })
      const proxy = await FaultProxy.start({ target: server.port })
      const url = `http://127.0.0.1:${proxy.port}/`
      // Before a busy test has mended the connection, many attempts may fail.
      const delays = { baseDelay: 4, maxDelay: 16 }
      const retry = { maxAttempts: 1_000, ...delays, budgetFloor: 1e6, hostTokens: 1e6 }
      const pool = makePool({ retry })
      await pool.json(url)
      const { bytesDown } = proxy.stats()
      const outcomes = { whole: 0, broken: 0 }
      const failure = async () => {
        const { failures } = pool.stats()
        return expect
          .poll(() => pool.stats().failures, { interval: 1, timeout: 60_000 })
          .toBeGreaterThan(failures)
      }
      for (let offset = 1; offset < bytesDown; offset++) {
        proxy.cutAfter(offset)
        const failed = failure()
        const cut = pool.json(url)
        await failed
        await proxy.heal()
        expect(await cut).toEqual(value)

        proxy.cutAfter(offset)
        const brokenOff = failure()
        const streamed = read(pool.request(url)).then(
          ([, text]) => {
            expect(JSON.parse(text)).toEqual(value)
            outcomes.whole++
          },
          error => {
            expect(error.code).toMatch(/^(UND_ERR_|ECONNRESET|EPIPE)/)
            outcomes.broken++
          },
        )
        await brokenOff
        await proxy.heal()
        await streamed
      }
      // Before the end of the head it is tried again; in the body the caller has to know.
      expect(outcomes.broken).toBe(bodyLength)
      expect(outcomes.whole).toBe(bytesDown - 1 - outcomes.broken)
      expect(pool.stats()).toMatchObject({ pending: 0, queued: 0, deadlines: 0 })
      await proxy.stop()
    },
  )
})

describe('budgets', () => {
  test.each<[string, () => unknown]>([
    ['503', () => server.on('*', 503)],
    ['a reset', () => server.on('*', { fault: 'reset' })],
    ['a refused connect', () => server.kill()],
  ])(
    'in an outage of %s the client sends at most 1 + budget times its requests',
    async (_name, fail) => {
      await fail()
      const pool = makePool({
        retry: { baseDelay: 0, maxAttempts: 10, budget: 0.2, budgetFloor: 0, hostTokens: 1e9 },
        // Hedges are paid from it too.
        hedge: { delay: 0, extra: 0.5 },
      })
      for (let i = 0; i < 20; i++) {
        const calls = Array.from({ length: 50 }, () => read(pool.request(server.url('/'))))
        await Promise.allSettled(calls)
      }
      const { requests, attempts, retries, hedges, resends, created } = pool.stats()
      expect(requests).toBe(1_000)
      expect(attempts).toBe(requests + retries + hedges + resends)
      expect(attempts).toBeLessThanOrEqual(1_200)
      expect(attempts).toBeGreaterThan(1_150)
      expect(Math.max(server.requests.length, created)).toBe(attempts)
    },
  )

  test('holds for calls that ask for retries of a pool without', async () => {
    server.on('*', 503)
    const pool = makePool({ retry: false })
    for (let i = 0; i < 4; i++) {
      const calls = Array.from({ length: 50 }, () =>
        read(pool.request(server.url('/'), { retry: true })),
      )
      await Promise.all(calls)
    }
    // A fifth of the 200 requests, and the floor of 10 per second.
    expect(pool.stats().retries).toBe(40 + 100)
  })

  test('a host that keeps failing gets no retries, others do', async () => {
    const healthy = await UpstreamServer.start()
    healthy.on('/', 503, 200)
    server.on('*', 503)
    const pool = makePool({ retry: { baseDelay: 0, hostTokens: 10 } })
    for (let i = 0; i < 10; i++) await read(pool.request(server.url('/')))
    const { retries } = pool.stats().origins[server.origin]!
    expect(retries).toBeLessThan(6)
    expect((await read(pool.request(healthy.url('/'))))[0]).toBe(200)
    await healthy.kill()
  })

  test('without an end of its tokens a host that keeps failing keeps its retries', async () => {
    server.on('*', 503)
    const retry = { maxAttempts: 2, baseDelay: 0, budget: 1_000, hostTokens: Infinity }
    const pool = makePool({ retry })
    for (let i = 0; i < 20; i++) await read(pool.request(server.url('/')))
    expect(pool.stats().retries).toBe(20)
  })
})

describe('reused connections', () => {
  test('one that the server has closed costs no error, no budget and no delay', async () => {
    server.on('*', { body: 'ok' })
    const pool = makePool({ retry: { maxAttempts: 1, budgetFloor: 0, budget: 0 } })
    for (let i = 0; i < 20; i++) {
      await read(pool.request(server.url('/')))
      await server.restart()
    }
    expect(pool.stats().retries).toBe(0)
  })

  test('a reset upon each second request of a connection is not seen for GET', async () => {
    const seen = new Set<number>()
    server.on('*', ({ connection }) => {
      if (seen.has(connection)) return { fault: 'reset' }
      seen.add(connection)
      return { body: 'ok' }
    })
    const pool = makePool({ retry: { maxAttempts: 1 } })
    for (let i = 0; i < 20; i++) {
      expect(await read(pool.request(server.url('/')))).toEqual([200, 'ok'])
    }
    expect(pool.stats().resends).toBeGreaterThan(5)
    await expect(
      pool.request(server.url('/'), { method: 'POST', body: 'x' }).then(({ body }) => body.text()),
    ).rejects.toThrow()
  })
})
