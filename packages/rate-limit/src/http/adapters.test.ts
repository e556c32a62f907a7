import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import {
  createServer,
  request as httpRequest,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import {
  connect,
  constants,
  createServer as createHttp2Server,
  type Http2ServerRequest,
} from 'node:http2'
import { type AddressInfo, connect as connectSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serve as serveHono } from '@hono/node-server'
import { VirtualClock } from '@millrace/testkit'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { describe, expect, test } from 'vitest'
import { TokenBucket } from '../bucket/token-bucket.ts'
import { combine } from '../combined/combine.ts'
import { InvalidOptionError } from '../errors.ts'
import { KeyedLimiter } from '../keyed/keyed-limiter.ts'
import { KeyedLimits } from '../keyed/keyed-limits.ts'
import { KeyedWindow } from '../keyed/keyed-window.ts'
import { goneClient } from '../redis/testing/connections.fixture.ts'
import { RedisKeyedLimiter } from '../redis/testing/tracked.fixture.ts'
import { SlidingWindow } from '../window/sliding-window.ts'
import { expressRateLimit } from './express-rate-limit.ts'
import { fastifyRateLimit, RequestLimitedError } from './fastify-rate-limit.ts'
import { honoRateLimit } from './hono-rate-limit.ts'
import { HttpLimit, type HttpLimitOptions } from './http-limit.ts'
import { koaRateLimit } from './koa-rate-limit.ts'
import { nodeRateLimit } from './node-rate-limit.ts'

/** Stands: what a limit announces is exact, however long a request takes. */
const clock = new VirtualClock()

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

/** An answer that breaks off after its first bytes. */
function breakOff(response: ServerResponse): void {
  response.write('part')
  setImmediate(() => response.destroy())
}

const frameworks: Record<string, (options: Options) => Promise<Running>> = {
  'node:http': options => {
    const limit = nodeRateLimit(options as never)
    return listen(async (request, response) => {
      try {
        if (!(await limit(request, response))) return
        if (request.url === '/broken') breakOff(response)
        else response.end('served')
      } catch {
        response.writeHead(500).end()
      }
    })
  },
  Express: options => {
    const app = express()
    app.set('env', 'test')
    app.use(expressRateLimit(options as never))
    app.get('/', (_, response) => void response.send('served'))
    app.get('/broken', (_, response) => breakOff(response))
    return listen(app)
  },
  Fastify: async options => {
    const app = fastify()
    app.setErrorHandler((error, _, reply) => {
      if (!(error instanceof RequestLimitedError)) throw error
      return reply
        .code(error.statusCode)
        .type('application/problem+json')
        .send(JSON.stringify(error.problem))
    })
    app.addHook('onRequest', fastifyRateLimit(options as never))
    app.get('/', async () => 'served')
    app.get('/broken', async (_, reply) => {
      reply.hijack()
      breakOff(reply.raw)
    })
    return { url: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
  },
  Hono: options => {
    const app = new Hono()
    app.use(honoRateLimit(options as never))
    app.get('/', context => context.text('served'))
    app.get('/broken', context => {
      const chunks = ['part', undefined]
      const stream = new ReadableStream({
        async pull(controller) {
          const chunk = chunks.shift()
          if (chunk === undefined) throw new Error('broken off')
          controller.enqueue(new TextEncoder().encode(chunk))
          await new Promise(resolve => setImmediate(resolve))
        },
      })
      return context.body(stream)
    })
    return new Promise<Running>(resolve => {
      const server = serveHono({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
        resolve({
          url: `http://127.0.0.1:${port}/`,
          close: () =>
            new Promise(resolve => (server as Server).close(resolve).closeAllConnections()),
        }),
      )
    })
  },
  Koa: options => {
    const app = new Koa()
    // It would print the faults that tests provoke.
    app.silent = true
    app.use(koaRateLimit(options as never))
    app.use(context => {
      if (context.path === '/broken') {
        context.respond = false
        breakOff(context.res)
      } else context.body = 'served'
    })
    return listen(app.callback())
  },
}

describe.each(Object.keys(frameworks))('%s', name => {
  async function serve(options: Partial<Options>): Promise<Running & AsyncDisposable> {
    const limiter = new KeyedLimiter({ clock, rate: 0.1, burst: 2, name: 'api' })
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

  test('a limit for all requests together needs no address', async () => {
    const window = new SlidingWindow({ limit: 2, window: 60_000, name: 'all' })
    await using server = await serve({ limiter: window })
    const statuses: number[] = []
    for (const client of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) {
      const headers = { 'x-forwarded-for': client }
      const answer = await fetch(server.url, { headers })
      statuses.push(answer.status)
      expect(answer.headers.get('ratelimit-policy')).toBe('"all";q=2;w=60')
    }
    expect(statuses).toEqual([200, 200, 429])
  })

  test('key, cost and skip are the application’s', async () => {
    const seen: unknown[] = []
    await using server = await serve({
      key: async request => `one for all${seen.push(request) * 0}`,
      cost: async () => 2,
      skip: async () => seen.length >= 2,
    })
    const statuses = [await fetch(server.url), await fetch(server.url), await fetch(server.url)]
    expect(statuses.map(({ status }) => status)).toEqual([200, 429, 200])
    expect(statuses[2]!.headers.get('ratelimit')).toBeNull()
  })

  test('what is not answered to its end is no success: one that breaks off, and one whose client has left', async () => {
    const limiter = new KeyedLimiter({ clock, rate: 0.1, burst: 2, name: 'downloads' })
    const granted = async (count: number) => {
      while (limiter.stats().granted !== count) await new Promise(resolve => setImmediate(resolve))
    }
    let asked = Promise.withResolvers<void>()
    let answer = Promise.withResolvers<void>()
    answer.resolve()
    const key = async () => {
      asked.resolve()
      await answer.promise
      return 'all'
    }
    await using server = await serve({ limiter, key, count: 'successful' } as never)
    const broken = await fetch(new URL('/broken', server.url))
    // A server that had sent nothing yet makes it an error.
    const sent = await broken.text().then(
      () => broken.status,
      () => 'broken off',
    )
    expect(sent).toBe(name === 'Hono' ? 500 : 'broken off')
    await granted(0)
    expect(limiter.stats().refunded).toBe(1)

    asked = Promise.withResolvers()
    answer = Promise.withResolvers()
    const client = httpRequest(server.url).on('error', () => {
      // It leaves while its key is being found.
    })
    client.end()
    await asked.promise
    client.destroy()
    // Whatever the server hears of that, it has heard by then.
    for (let turn = 0; turn < 3; turn++) {
      const { hostname, port } = new URL(server.url)
      const other = connectSocket(Number(port), hostname)
      await once(other, 'connect')
      other.destroy()
    }
    answer.resolve()
    while (limiter.stats().refunded < 2) await new Promise(resolve => setImmediate(resolve))

    await using strict = await serve({ limiter, key: () => 'b', count: 'failed' } as never)
    await (await fetch(new URL('/broken', strict.url))).text().catch(() => {})
    expect(limiter.get('b').remaining).toBeLessThan(1.01)
  })

  test('the answer to who is refused may be the application’s, with the headers of the limit', async () => {
    const limiter = new KeyedLimiter({ clock, rate: 0.1, burst: 1, name: 'api' })
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
  const limit = nodeRateLimit({ limiter: new KeyedLimiter({ clock, rate: 0.1, burst: 2 }) })
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

test('node:http2: requests are limited, and only answers that were sent count', async () => {
  const limiter = new KeyedLimiter({ clock, rate: 0.1, burst: 1, name: 'api' })
  const limit = nodeRateLimit<Http2ServerRequest>({
    limiter,
    key: request => request.authority,
    count: 'successful',
  })
  const server = createHttp2Server(async (request, response) => {
    if (!(await limit(request, response))) return
    if (request.url === '/reset') response.stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    if (request.url === '/raw') {
      response.stream.respond({ ':status': 500 })
      response.stream.end()
    }
    if (/never|reset|raw/.test(request.url)) return
    response.statusCode = request.url === '/missing' ? 404 : 200
    response.end('served')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const get = async (path: string) => {
    const stream = client.request({ ':path': path }).resume()
    const [headers] = await once(stream, 'response')
    await once(stream, 'close')
    return [headers[':status'], headers['ratelimit'], headers['retry-after']]
  }
  const told = '"api";r=0;t=10'
  for (let i = 0; i < 3; i++) {
    expect(await get('/missing')).toEqual([404, told, undefined])
    // An answer is settled when its stream is closed, which its reader need not wait for.
    while (limiter.stats().granted > 0) await new Promise(resolve => setImmediate(resolve))
  }
  for (const path of ['/raw', '/reset', '/never']) {
    const { refunded } = limiter.stats()
    const stream = client.request({ ':path': path }).resume()
    // What is reset is an error of its reader's.
    stream.on('error', () => {})
    if (path === '/never') {
      while (limiter.stats().granted === 0) await new Promise(resolve => setImmediate(resolve))
      stream.close(constants.NGHTTP2_CANCEL)
    }
    while (limiter.stats().refunded === refunded) {
      await new Promise(resolve => setImmediate(resolve))
    }
  }
  expect(await get('/')).toEqual([200, told, undefined])
  expect(await get('/')).toEqual([429, told, '10'])
  client.close()
  await new Promise(resolve => server.close(resolve))
})

test('one limit serves node:http and node:http2, as its type says', async () => {
  const limiter = new KeyedLimiter({ clock, rate: 0.1, burst: 1 })
  const limit = nodeRateLimit({ limiter, key: ({ headers }) => `${headers['x-key']}` })
  const answer = async (...[request, response]: Parameters<typeof limit>) => {
    if (await limit(request, response)) response.end('served')
  }
  const servers = [createServer(answer), createHttp2Server(answer)]
  const [port, port2] = await Promise.all(
    servers.map(async server => {
      await once(server.listen(0, '127.0.0.1'), 'listening')
      return (server.address() as AddressInfo).port
    }),
  )
  const headers = { 'x-key': 'a' }
  const response = await fetch(`http://127.0.0.1:${port}`, { headers })
  expect(await response.text()).toBe('served')
  const client = connect(`http://127.0.0.1:${port2}`)
  const stream = client.request({ ':path': '/', ...headers }).resume()
  const [{ ':status': status }] = await once(stream, 'response')
  expect(status).toBe(429)
  await once(stream, 'close')
  client.close()
  for (const server of servers) await new Promise(resolve => server.close(resolve))
})

test('Koa: the status that another middleware answers with decides what counts', async () => {
  const limiter = new KeyedLimiter({ clock, rate: 0.1, burst: 2, name: 'login' })
  const app = new Koa()
  app.silent = true
  app.use(
    koaRateLimit({ limiter, count: 'failed', key: (context: Koa.Context) => context.request.ip }),
  )
  app.use(context => {
    if (context.path === '/wrong') context.throw(401)
    context.body = { in: true }
  })
  const server = await listen(app.callback())
  let wrong = 0
  const get = async (path: string) => {
    const { status } = await fetch(server.url + path)
    // An answer is settled when it is closed, which its reader need not wait for.
    while (limiter.stats().granted > wrong) await new Promise(resolve => setImmediate(resolve))
    return status
  }
  for (let i = 0; i < 4; i++) expect(await get('right')).toBe(200)
  for (wrong = 1; wrong <= 2; wrong++) expect(await get('wrong')).toBe(401)
  const refused = await fetch(`${server.url}right`)
  expect(refused.status).toBe(429)
  expect(refused.headers.get('content-type')).toBe('application/problem+json')
  expect(refused.headers.get('retry-after')).toBe('10')
  await server.close()
})

describe('what a request is counted by', () => {
  const limiter = () => new KeyedLimiter({ clock, rate: 0.1, burst: 2, name: 'api' })

  test('a Unix socket has no addresses: refused at the first request, or the proxy is trusted', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-limit-'))
    const statuses = async (options: Partial<Options>) => {
      const limit = nodeRateLimit({ limiter: limiter(), ...(options as object) })
      const codes: unknown[] = []
      const server = createServer(async (request, response) => {
        const passed = await limit(request, response).catch(error => {
          codes.push(error.code)
          response.writeHead(500).end()
        })
        if (passed) response.end('served')
      })
      const socketPath = join(folder, 'socket')
      await new Promise<void>(resolve => server.listen(socketPath, resolve))
      for (let i = 0; i < 3; i++) {
        const headers = { 'x-forwarded-for': `192.0.2.${i}` }
        const call = httpRequest({ socketPath, headers, agent: false }).end()
        const [response] = await once(call, 'response')
        codes.push(response.resume().statusCode)
      }
      await new Promise(resolve => server.close(resolve).closeAllConnections())
      return codes
    }
    const refused = ['ERR_MILLRACE_LIMIT_CLIENT_ADDRESS', 500]
    expect(await statuses({})).toEqual([...refused, ...refused, ...refused])
    expect(await statuses({ trustedProxies: ['unix'] })).toEqual([200, 200, 200])
    expect(await statuses({ trustedHops: 1 })).toEqual([200, 200, 200])
    expect(await statuses({ key: () => 'all' })).toEqual([200, 200, 429])
    await rm(folder, { recursive: true })
  })

  test('Hono without its server’s environment refuses, unless it is told the key', async () => {
    const app = new Hono()
    app.onError((error, context) => context.text((error as { code?: string }).code ?? '', 500))
    app.use('/a', honoRateLimit({ limiter: limiter() }))
    app.use('/b', honoRateLimit({ limiter: limiter(), key: c => c.req.header('x-client') }))
    app.get('*', context => context.text('served'))
    const [bare, ...told] = [
      await app.request('/a'),
      ...(await Promise.all(
        [1, 2, 3].map(client => app.request('/b', { headers: { 'x-client': `${client}` } })),
      )),
    ]
    expect([bare!.status, await bare!.text()]).toEqual([500, 'ERR_MILLRACE_LIMIT_CLIENT_ADDRESS'])
    expect(told.map(({ status }) => status)).toEqual([200, 200, 200])
  })

  test('a plan decides which limits hold, and all of them are told', async () => {
    const free = new KeyedLimiter({ clock, rate: 0.1, burst: 1, name: 'free' })
    const paid = [
      new KeyedLimiter({ clock, rate: 100, burst: 10, name: 'burst' }),
      new KeyedLimiter({ clock, rate: 0.1, burst: 2, name: 'daily' }),
    ]
    const limit = new HttpLimit<string>({ limiter: plan => (plan === 'paid' ? paid : free) })
    const facts = { remoteAddress: '192.0.2.1', forwardedFor: undefined }
    expect((await limit.check('free', facts)).pass).toBe(true)
    expect((await limit.check('free', facts)).pass).toBe(false)
    const { pass, headers } = await limit.check('paid', facts)
    expect(pass).toBe(true)
    expect(headers).toEqual({
      'RateLimit-Policy': '"burst";q=100;w=1, "daily";q=2;w=20',
      RateLimit: '"burst";r=9;t=0, "daily";r=1;t=10',
    })
    await limit.check('paid', facts)
    const refused = await limit.check('paid', facts)
    expect(refused).toMatchObject({ pass: false, status: 429 })
    // What the others had granted has been given back.
    expect(paid[0]!.get('192.0.2.1').remaining).toBeGreaterThanOrEqual(8)
  })

  test('two limits on one request: both are told, and the later Retry-After holds', async () => {
    const strict = nodeRateLimit({
      limiter: new KeyedLimiter({ clock, rate: 0.1, burst: 2, name: 'login' }),
    })
    const global = nodeRateLimit({
      limiter: new KeyedLimiter({ clock, rate: 100, burst: 100, name: 'global' }),
      legacyHeaders: true,
    })
    const server = await listen(async (request, response) => {
      if ((await strict(request, response)) && (await global(request, response))) response.end()
    })
    const { headers } = await fetch(server.url)
    expect(headers.get('ratelimit')).toBe('"login";r=1;t=10, "global";r=99;t=0')
    expect(headers.get('ratelimit-policy')).toBe('"login";q=2;w=20, "global";q=100;w=1')
    expect(headers.get('x-ratelimit-limit')).toBe('100')
    await server.close()
  })

  test('what costs more than can ever pass is the client’s fault, not the server’s', async () => {
    const app = express()
    app.set('env', 'test')
    app.use(
      expressRateLimit({
        limiter: new KeyedLimiter({ clock, rate: 1, burst: 10 }),
        cost: request => Math.ceil(Number(request.headers['content-length'] ?? 0) / 1_024) || 1,
      }),
    )
    app.post('/', (_, response) => void response.send('served'))
    const server = await listen(app)
    const post = (kb: number) => fetch(server.url, { method: 'POST', body: 'x'.repeat(kb * 1_024) })
    expect((await post(1)).status).toBe(200)
    expect((await post(20)).status).toBe(413)
    await server.close()
  })

  test('whatever the limiter is made of, what can never pass is refused with what the policy says', async () => {
    const facts = { remoteAddress: '192.0.2.1', forwardedFor: undefined }
    const parent = new SlidingWindow({ clock, limit: 3, window: 1_000 })
    const own = new KeyedLimiter({ clock, rate: 1, burst: 10, name: 'own' })
    const small = new KeyedWindow({ clock, limit: 3, window: 1_000, name: 'small' })
    const limiters = {
      parent: new KeyedLimiter({ clock, rate: 1, burst: 10, parent }),
      combination: combine([new TokenBucket({ clock, rate: 1, burst: 10 }), parent]),
      several: [own, small],
      together: new KeyedLimits([own, small]),
    }
    for (const [name, limiter] of Object.entries(limiters)) {
      const limit = new HttpLimit<number>({ limiter, cost: cost => cost, tooCostly: 429 })
      for (const cost of [4, 3.5, Infinity]) {
        const verdict = await limit.check(cost, facts)
        expect(verdict, `${name} ${cost}`).toMatchObject({ pass: false, status: 429 })
        expect((verdict as { body: string }).body).toContain('Costs More')
      }
      // Nothing has been spent, and what makes no sense is a fault of the application.
      expect(await limit.check(2, facts), name).toMatchObject({ pass: true })
      for (const wrong of [-1, Number.NaN, '1', null, true, [1]]) {
        await expect(limit.check(wrong as number, facts)).rejects.toThrow(InvalidOptionError)
      }
      clock.advance(10_000)
    }
    const key = () => 5 as never
    await expect(new HttpLimit({ limiter: own, key }).check({}, facts)).rejects.toThrow('`key`')
  })

  test('Hono: a refund that fails leaves the answer alone', async () => {
    const app = new Hono()
    const counted = {
      keyed: true,
      name: 'login',
      decide: () => ({ allowed: true, limit: 2, remaining: 1, resetAfter: 0, retryAfter: 0 }),
      refund: () => Promise.reject(new Error('gone')),
    }
    app.use(honoRateLimit({ limiter: counted, count: 'failed', key: () => 'all' }))
    app.get('*', context => context.text('served'))
    expect((await app.request('/')).status).toBe(200)
  })

  test('only failed answers count, such as wrong passwords', async () => {
    const counted = new KeyedLimiter({ clock, rate: 0.1, burst: 2, name: 'login' })
    const limit = nodeRateLimit({ limiter: counted, count: 'failed' })
    const server = await listen(async (request, response) => {
      if (!(await limit(request, response))) return
      response.statusCode = request.url === '/wrong' ? 401 : 200
      response.end()
    })
    const get = async (path: string) => {
      const { status } = await fetch(server.url + path)
      while (counted.stats().granted > wrong) await new Promise(resolve => setImmediate(resolve))
      return status
    }
    let wrong = 0
    for (let i = 0; i < 4; i++) expect(await get('right')).toBe(200)
    wrong = 1
    expect(await get('wrong')).toBe(401)
    wrong = 2
    expect(await get('wrong')).toBe(401)
    expect(await get('right')).toBe(429)
    await server.close()
  })
})
