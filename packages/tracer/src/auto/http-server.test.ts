import { once } from 'node:events'
import { createServer, request as httpRequest, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setImmediate as immediate } from 'node:timers/promises'
import { setHttpRoute } from '@millrace/kit'
import express from 'express'
import express4 from 'express4'
import { fastify } from 'fastify'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FinishedSpan, MemoryExporter } from '../export/memory-exporter.ts'
import { SpanKind } from '../span/api/span.ts'
import { Tracer } from '../tracer/tracer.ts'
import type { HttpServerOptions } from './http-server.ts'
import { instrument } from './instrument.ts'

let exporter: MemoryExporter
let tracer: Tracer
const closing: (() => void)[] = []
/** Of the servers that were started, the last one first. */
const ports: number[] = []

beforeEach(() => {
  exporter = new MemoryExporter()
  tracer = new Tracer({ exporter, signals: [] })
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) close()
  await tracer.close()
})

/** Resolves when all spans have ended: a server may hear of the end of an answer after its client. */
async function finished(): Promise<void> {
  await expect.poll(() => tracer.stats().started - tracer.stats().ended).toBe(0)
  await tracer.flush()
}

/** Starts a server under instrumentation; returns what requests paths of it, one after the other. */
async function serve(
  listener: RequestListener,
  httpServer: HttpServerOptions = {},
): Promise<(...paths: string[]) => Promise<FinishedSpan[]>> {
  const instrumentation = instrument(tracer, { httpServer, roots: true, undici: false })
  closing.push(() => instrumentation.close())
  const server: Server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`
  ports.unshift(port)
  return async (...paths) => {
    for (const path of paths) await (await fetch(`${origin}${path}`)).text()
    await finished()
    return exporter.spans.splice(0)
  }
}

const routeOf = ({ name, attributes }: FinishedSpan) => [name, attributes['http.route']]

const versions: readonly (readonly [string, typeof express])[] = [
  ['4', express4],
  ['5', express],
]

describe.each(versions)('the route of a request of Express %s', (_, express) => {
  test('is what it has matched, behind its mounts', async () => {
    const app = express()
    const orders = express.Router()
    orders.get('/', (_, response) => void response.send('all'))
    orders.get('/:id', (request, response) => void response.send(request.params.id))
    app.use('/orders', orders)
    app.get('/users/:id', (_, response) => void response.send('user'))
    app.get(/^\/files\/.*/, (_, response) => void response.send('file'))
    app.get(['/either/:a', /^\/or/], (_, response) => void response.send('one of them'))
    const request = await serve(app as RequestListener)
    const spans = await request(
      '/users/1?x=2',
      '/users/2',
      '/orders/3',
      '/orders',
      '/files/a/b',
      '/either/1',
      '/or',
      '/x',
    )
    expect(spans.map(routeOf)).toEqual([
      ['GET /users/:id', '/users/:id'],
      ['GET /users/:id', '/users/:id'],
      ['GET /orders/:id', '/orders/:id'],
      ['GET /orders', '/orders'],
      ['GET /^\\/files\\/.*/', '/^\\/files\\/.*/'],
      ['GET /either/:a,/^\\/or/', '/either/:a,/^\\/or/'],
      ['GET /either/:a,/^\\/or/', '/either/:a,/^\\/or/'],
      ['GET', undefined],
    ])
    expect(spans[0]?.attributes['url.path']).toBe('/users/1')
  })

  test('holds the patterns of mounts, never their paths', async () => {
    const answer = (_: unknown, response: { send(text: string): unknown }) =>
      void response.send('ok')
    const items = express.Router()
    items.get('/:item', answer)
    items.get('/', answer)
    const shop = express.Router({ mergeParams: true })
    shop.use('/items', items)
    shop.get('/about', answer)
    const reports = express()
    reports.get('/daily/:day', answer)
    reports.use('/by/:name', items)
    const app = express()
    app.use('/tenants/:tenant', (_request, _response, next) => next())
    app.use('/tenants/:tenant', shop)
    app.use(['/a/:x', '/b/:x'], shop)
    app.use('/:tenant/reports', reports)
    app.use(/^\/v\d+/, shop)
    app.use('/a.b/c', shop)
    const request = await serve(app as RequestListener)
    const spans = await request(
      '/tenants/7/items/8',
      '/tenants/a%20b/items',
      '/tenants/items/about?x',
      '/b/4/about',
      '/acme/reports/daily/monday',
      '/acme/reports/by/me/1',
      '/v3/about',
      '/A.b/c/about',
      '/%3Aescaped/reports/daily/1',
    )
    expect(spans.map(span => routeOf(span)[1])).toEqual([
      '/tenants/:tenant/items/:item',
      '/tenants/:tenant/items',
      '/tenants/:tenant/about',
      '/b/:x/about',
      '/:tenant/reports/daily/:day',
      '/:tenant/reports/by/:name/:item',
      // A regular expression names nothing: its path may hold anything.
      undefined,
      expect.stringMatching(/^\/a\.b\/c\/about$/i),
      '/:tenant/reports/daily/:day',
    ])
  })

  test('is the same for what has failed: its error leaves the routers, and takes their paths along', async () => {
    const items = express.Router()
    items.get('/:item', (request, response, next) => {
      if (request.query.fail === undefined) response.send('ok')
      else next(new Error('no'))
    })
    const shop = express.Router({ mergeParams: true })
    shop.use('/items', items)
    const handled = express.Router()
    handled.use('/inner/:part', items)
    const answer = (_error: unknown, _request: unknown, response: express.Response, _: unknown) =>
      void response.status(500).send('failed')
    handled.use(answer)
    const reports = express()
    reports.get('/daily/:day', (_request, _response, next) => next(new Error('no')))
    const app = express()
    app.use('/tenants/:tenant', shop)
    app.use('/:area/handled', handled)
    app.use('/reports/:kind', reports)
    app.get('/top/:id', (_request, _response, next) => next(new Error('no')))
    app.use(answer)
    const request = await serve(app as RequestListener)
    const spans = await request(
      '/tenants/7/items/8?fail',
      '/tenants/7/items/8',
      '/north/handled/inner/1/2?fail',
      '/north/handled/inner/1/2',
      '/top/1',
      '/reports/a/daily/1',
    )
    expect(spans.map(span => routeOf(span)[1])).toEqual([
      '/tenants/:tenant/items/:item',
      '/tenants/:tenant/items/:item',
      '/:area/handled/inner/:part/:item',
      '/:area/handled/inner/:part/:item',
      '/top/:id',
      // Express has forgotten the application that it was in: none is better than half of one.
      undefined,
    ])
  })
})

describe('the route of a request', () => {
  test('is what Fastify has matched', async () => {
    const app = fastify()
    app.get('/users/:id', async () => 'user')
    app.get('/late/:id', (_, reply) => void setImmediate(() => reply.send('late')))
    app.get('/fails/:id', async () => {
      throw new Error('no')
    })
    await app.ready()
    const request = await serve((incoming, response) => app.routing(incoming, response))
    const spans = await request('/users/1', '/late/2', '/fails/3', '/none')
    expect(spans.map(routeOf)).toEqual([
      ['GET /users/:id', '/users/:id'],
      ['GET /late/:id', '/late/:id'],
      ['GET /fails/:id', '/fails/:id'],
      ['GET', undefined],
    ])
    expect(spans[2]?.attributes['http.response.status_code']).toBe(500)
  })

  test('is there for what Fastify answers before its handler: guards, limits and schemas', async () => {
    let routing: RequestListener = () => undefined
    const request = await serve((incoming, response) => routing(incoming, response))
    const app = fastify()
    app.addHook('onRequest', async ({ headers, routeOptions }, reply) => {
      if (routeOptions.url?.startsWith('/guarded') && !headers.authorization) {
        return reply.code(401).send()
      }
      return undefined
    })
    app.get('/guarded/:id', async () => 'never')
    const querystring = { type: 'object', required: ['page'] }
    app.get('/checked/:id', { schema: { querystring } }, async () => 'never')
    await app.register(async inner => {
      inner.get(
        '/inner/:id',
        { onRequest: async (_, reply) => reply.code(429).send() },
        async () => 1,
      )
    })
    await app.ready()
    routing = (incoming, response) => app.routing(incoming, response)
    const spans = await request('/guarded/1', '/checked/2', '/inner/3', '/none/4')
    expect(spans.map(routeOf)).toEqual([
      ['GET /guarded/:id', '/guarded/:id'],
      ['GET /checked/:id', '/checked/:id'],
      ['GET /inner/:id', '/inner/:id'],
      ['GET', undefined],
    ])
    const statuses = spans.map(({ attributes }) => attributes['http.response.status_code'])
    expect(statuses).toEqual([401, 400, 429, 404])
  })

  test('may be told of what is no request', () => {
    for (const none of [undefined, null, 5, Object.freeze({})]) {
      expect(() => setHttpRoute(none as never, '/x')).not.toThrow()
    }
  })

  test('is what the program says, for other servers', async () => {
    const request = await serve((incoming, response) => {
      setHttpRoute(incoming, '/things/{id}')
      response.end()
    })
    expect((await request('/things/1')).map(routeOf)).toEqual([
      ['GET /things/{id}', '/things/{id}'],
    ])
  })

  test('may come from a function, which may fail', async () => {
    const request = await serve((_, response) => void response.end(), {
      route: ({ url }) => {
        if (url === '/fails') throw new Error('no')
        return url === '/number' ? (5 as never) : `found${url}`
      },
    })
    expect((await request('/a', '/fails', '/number')).map(routeOf)).toEqual([
      ['GET found/a', 'found/a'],
      ['GET', undefined],
      ['GET', undefined],
    ])
  })

  test('never makes more names than a service has routes', async () => {
    // As a router that takes the path for the route.
    const request = await serve((incoming, response) => {
      setHttpRoute(incoming, incoming.url!)
      response.end()
    })
    const paths = Array.from({ length: 1_010 }, (_, i) => `/users/${i}`)
    const spans = await request(...paths, '/users/0', `/${'long'.repeat(100)}`)
    expect(new Set(spans.map(({ name }) => name)).size).toBe(1_001)
    expect(spans.at(-2)?.name).toBe('GET /users/0')
    expect(spans.at(-1)?.name).toBe('GET')
  })
})

test('an absolute target shows neither credentials nor query, and is ignored by its path', async () => {
  await serve((_, response) => void response.end(), { ignore: ['/health'] })
  const [port] = ports
  for (const path of ['/a', '/health']) {
    const socket = connect(port!, '127.0.0.1')
    socket.resume()
    socket.write(`GET http://user:secret@x${path}?key=secret HTTP/1.1\r\nhost: x\r\n`)
    socket.write('connection: close\r\n\r\n')
    await once(socket, 'close')
  }
  await finished()
  expect(exporter.spans.map(({ attributes }) => attributes['url.path'])).toEqual(['/a'])
  expect(JSON.stringify(exporter.spans)).not.toContain('secret')
})

test('requests that are ignored make no spans, nor does what they start', async () => {
  const handler: RequestListener = (_, response) => {
    tracer.startSpan('inside').end()
    response.end()
  }
  const request = await serve(handler, { ignore: ['/health', '/metrics'] })
  const spans = await request('/health?verbose', '/metrics', '/', '/health/deep')
  expect(spans.map(({ name }) => name).sort()).toEqual(['GET', 'GET', 'inside', 'inside'])
})

describe('the listeners of a request', () => {
  const listener: RequestListener = (request, response) => {
    request.on('data', () => tracer.startSpan('data').end())
    request.once('end', () => {
      tracer.startSpan('end').end()
      response.end()
    })
  }
  const post = async (path: string) => {
    const sent = httpRequest({ host: '127.0.0.1', port: ports[0], path, method: 'POST' })
    // The body comes after the head, in reads of its own.
    sent.flushHeaders()
    sent.write('{')
    await immediate()
    sent.end('}')
    const [response] = await once(sent, 'response')
    await once(response.resume(), 'end')
  }

  test('run in its span, also where it was opened in another', async () => {
    const request = await tracer.span('start', () => serve(listener))
    for (let i = 0; i < 2; i++) await post('/a')
    const spans = await request()
    const served = spans.filter(({ kind }) => kind === SpanKind.SERVER).map(span => span.spanId)
    expect(served).toHaveLength(2)
    const inside = spans.filter(({ name }) => name === 'data' || name === 'end')
    expect(new Set(inside.map(({ name }) => name))).toEqual(new Set(['data', 'end']))
    expect(new Set(inside.map(span => span.parentSpanId))).toEqual(new Set(served))
  })

  test('make no spans where it is ignored', async () => {
    const request = await serve(listener, { ignore: ['/health'] })
    await post('/health')
    expect((await request()).filter(({ kind }) => kind === SpanKind.INTERNAL)).toEqual([])
  })
})

test('a function may choose what is ignored; one that throws ignores nothing', async () => {
  const request = await serve((_, response) => void response.end(), {
    ignore: (path, { headers }) => {
      if (path === '/fails') throw new Error('no')
      return path.startsWith('/internal/') && headers.host !== undefined
    },
  })
  const spans = await request('/internal/a', '/fails', '/a')
  expect(spans.map(({ attributes }) => attributes['url.path'])).toEqual(['/fails', '/a'])
})

test.each([
  [{ ignore: 'health' }, '`httpServer.ignore` to be a list of paths, or a function'],
  [{ ignore: ['health'] }, '`httpServer.ignore` to be paths that begin with /'],
  [{ route: '/x' }, '`httpServer.route` to be a function'],
  [{ ignored: [] }, '`httpServer.ignored` to be absent'],
])('refuses %j', (httpServer, message) => {
  expect(() => instrument(tracer, { httpServer: httpServer as never })).toThrow(message)
  expect(() => instrument(tracer, { outgoing: 'one' as never })).toThrow('`outgoing` to be one of')
  expect(() => instrument(tracer, { rootz: true } as never)).toThrow('did you mean `roots`?')
})
