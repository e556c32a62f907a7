import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { describe, expect, test } from 'vitest'
import { KeyedLimiter } from '../keyed/keyed-limiter.ts'
import { RedisKeyedLimiter } from '../redis/limiters/redis-keyed-limiter.ts'
import { goneClient } from '../redis/testing/connections.fixture.ts'
import { fastifyRateLimit, honoRateLimit, nodeRateLimit } from './adapters.ts'
import type { HttpLimitOptions } from './http-limit.ts'

/** What all adapters can be given: it looks at nothing but the headers. */
type Options = HttpLimitOptions<never>

interface Running {
  url: string
  close(): Promise<unknown>
}

async function listen(listener: RequestListener): Promise<Running> {
  const server = createServer(listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () => new Promise(resolve => server.close(resolve).closeAllConnections()),
  }
}

const frameworks: Record<string, (options: Options) => Promise<Running>> = {
  'node:http': options => {
    const limit = nodeRateLimit(options as never)
    return listen(async (request, response) => {
      try {
        if (await limit(request, response)) response.end('served')
      } catch {
        response.writeHead(500).end()
      }
    })
  },
  Express: options => {
    const app = express()
    app.set('env', 'test')
    app.use(nodeRateLimit(options as never))
    app.get('/', (_, response) => void response.send('served'))
    return listen(app)
  },
  Fastify: async options => {
    const app = fastify()
    app.addHook('onRequest', fastifyRateLimit(options as never))
    app.get('/', async () => 'served')
    return { url: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
  },
  Hono: options => {
    const app = new Hono()
    app.use(honoRateLimit(options as never))
    app.get('/', context => context.text('served'))
    return listen(async (incoming, response) => {
      const request = new Request(`http://test${incoming.url}`, {
        headers: incoming.headers as Record<string, string>,
      })
      const answer = await app.fetch(request, { incoming })
      response.writeHead(answer.status, Object.fromEntries(answer.headers))
      response.end(await answer.text())
    })
  },
}

describe.each(Object.keys(frameworks))('%s', name => {
  async function serve(options: Partial<Options>): Promise<Running & AsyncDisposable> {
    const limiter = new KeyedLimiter({ rate: 0.1, burst: 2, name: 'api' })
    const server = await frameworks[name]!({ limiter, ...options })
    return { ...server, [Symbol.asyncDispose]: async () => void (await server.close()) }
  }

  test('tells its limit, refuses with 429 and says when to come again', async () => {
    await using server = await serve({})
    const first = await fetch(server.url)
    expect([first.status, await first.text()]).toEqual([200, 'served'])
    expect(first.headers.get('ratelimit-policy')).toBe('"api";q=2;w=20')
    expect(first.headers.get('ratelimit')).toBe('"api";r=1;t=10')
    expect((await fetch(server.url)).status).toBe(200)
    const refused = await fetch(server.url)
    expect(refused.status).toBe(429)
    expect(await refused.json()).toEqual({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      title: 'Too Many Requests',
      status: 429,
      'violated-policies': ['api'],
    })
    expect(refused.headers.get('retry-after')).toBe('10')
    expect(refused.headers.get('content-type')).toContain('application/problem+json')
  })

  test('counts by client address, which only trusted proxies can tell', async () => {
    for (const [trustedProxies, statuses] of [
      [[], [200, 200, 429]],
      [['127.0.0.0/8'], [200, 200, 200]],
    ] as const) {
      await using server = await serve({ trustedProxies })
      const seen: number[] = []
      for (const client of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) {
        const headers = { 'x-forwarded-for': client }
        seen.push((await fetch(server.url, { headers })).status)
      }
      expect(seen).toEqual(statuses)
    }
  })

  test('key, cost and skip are the application’s', async () => {
    const seen: unknown[] = []
    await using server = await serve({
      key: async request => `one for all${seen.push(request) * 0}`,
      cost: () => 2,
      skip: () => seen.length >= 2,
    })
    const statuses = [await fetch(server.url), await fetch(server.url), await fetch(server.url)]
    expect(statuses.map(({ status }) => status)).toEqual([200, 429, 200])
    expect(statuses[2]!.headers.get('ratelimit')).toBeNull()
  })

  test('the answer to who is refused may be the application’s, with the headers of the limit', async () => {
    const limiter = new KeyedLimiter({ rate: 0.1, burst: 1, name: 'api' })
    await using server = await serve({
      limiter,
      refuse: async ({ status, headers }) => ({
        status: status === 429 ? 420 : status,
        headers: { ...headers, 'Content-Type': 'text/plain' },
        body: 'Calm down',
      }),
    })
    expect((await fetch(server.url)).status).toBe(200)
    const refused = await fetch(server.url)
    expect([refused.status, await refused.text()]).toEqual([420, 'Calm down'])
    expect(refused.headers.get('content-type')).toContain('text/plain')
    expect(refused.headers.get('retry-after')).toBe('10')
  })

  test('a fault in the application’s function is the framework’s to answer', async () => {
    await using server = await serve({
      key: () => {
        throw new Error('no key')
      },
    })
    expect((await fetch(server.url)).status).toBe(500)
  })

  test('without its store it lets requests pass, or answers 503, never 429', async () => {
    const client = goneClient()
    const limiter = new RedisKeyedLimiter({ client, id: 'api', rate: 1, whenDown: 'closed' })
    await using open = await serve({ limiter })
    expect((await fetch(open.url)).status).toBe(200)
    await using closed = await serve({ limiter, whenUnavailable: 'closed' })
    const refused = await fetch(closed.url)
    expect(refused.status).toBe(503)
    expect(await refused.json()).toEqual({ title: 'Service Unavailable', status: 503 })
  })
})

test('node:http with `next`: what follows is called once, though it throws', async () => {
  const limit = nodeRateLimit({ limiter: new KeyedLimiter({ rate: 0.1, burst: 2 }) })
  const calls: unknown[] = []
  const server = await listen(async (request, response) => {
    const outcome = await limit(request, response, error => {
      calls.push(error)
      throw new Error('what follows is broken')
    }).catch(error => error.message)
    response.end(outcome)
  })
  const response = await fetch(server.url)
  expect(await response.text()).toBe('what follows is broken')
  expect(calls).toEqual([undefined])
  await server.close()
})
