import { once } from 'node:events'
import { connect, createSecureServer, createServer, type Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { selfSignedCertificate } from '@millrace/testkit'
import { fastify } from 'fastify'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MemoryExporter } from '../export/memory-exporter.ts'
import { SpanKind, StatusCode } from '../span/api/span.ts'
import { Tracer } from '../tracer/tracer.ts'
import type { HttpServerOptions } from './http-server.ts'
import { instrument } from './instrument.ts'

const certificate = selfSignedCertificate()
let exporter: MemoryExporter
let tracer: Tracer
const closing: (() => void)[] = []

beforeEach(() => {
  exporter = new MemoryExporter()
  tracer = new Tracer({ exporter, signals: [] })
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) close()
  await tracer.close()
})

function instrumented(httpServer: HttpServerOptions = {}): void {
  const instrumentation = instrument(tracer, { httpServer, roots: true })
  closing.push(() => instrumentation.close())
}

/** A client of the server, once that listens. */
async function client(server: Http2Server, scheme = 'http') {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => server.close())
  const { port } = server.address() as AddressInfo
  const session = connect(`${scheme}://127.0.0.1:${port}`, { rejectUnauthorized: false })
  closing.push(() => session.destroy())
  return session
}

const spans = async (count: number) => {
  await expect.poll(() => tracer.flush().then(() => exporter.spans.length)).toBe(count)
  return exporter.spans
}

test.each(['http', 'https'])('requests over HTTP/2 by %s are server spans', async scheme => {
  instrumented()
  const server = scheme === 'https' ? createSecureServer(certificate) : createServer()
  server.on('request', (_, response) => response.writeHead(503).end())
  const session = await client(server as Http2Server, scheme)
  const trace = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  await once(session.request({ ':path': '/a?secret=b', traceparent: trace }).resume(), 'close')
  expect(await spans(1)).toMatchObject([
    {
      name: 'GET',
      kind: SpanKind.SERVER,
      traceId: 'a'.repeat(32),
      parentSpanId: 'b'.repeat(16),
      status: { code: StatusCode.ERROR },
      attributes: {
        'http.request.method': 'GET',
        'http.response.status_code': 503,
        'error.type': '503',
        'url.path': '/a',
        'url.scheme': scheme,
        'network.protocol.version': '2',
      },
    },
  ])
})

test.each(['http', 'https'])('their route is what Fastify has matched, by %s', async scheme => {
  instrumented()
  const options = scheme === 'https' ? { https: certificate } : {}
  const app = fastify({ http2: true, ...options } as { http2: true })
  app.addHook('onRequest', async ({ headers }, reply) =>
    headers['x-refused'] ? reply.code(401).send() : undefined,
  )
  app.get('/users/:id', async () => 'user')
  await app.ready()
  closing.push(() => void app.close())
  const session = await client(app.server as unknown as Http2Server, scheme)
  for (const headers of [{}, { 'x-refused': 'yes' }]) {
    await once(session.request({ ':path': '/users/1', ...headers }).resume(), 'close')
  }
  const found = await spans(2)
  expect(found.map(({ name }) => name)).toEqual(['GET /users/:id', 'GET /users/:id'])
  expect(found.map(({ attributes }) => attributes['http.response.status_code'])).toEqual([200, 401])
})

test('what the handlers of one session start belongs each to its own request', async () => {
  instrumented({ ignore: ['/health'] })
  const server = createServer(async (request, response) => {
    // Frames of all requests come in turns.
    for await (const part of request) tracer.startSpan(`part ${part} of ${request.url}`).end()
    response.end()
  })
  const session = await client(server)
  const paths = ['/a', '/health', '/b', '/c']
  const streams = paths.map(path => session.request({ ':path': path, ':method': 'POST' }).resume())
  const ended = streams.map(stream => once(stream, 'close'))
  for (const part of ['1', '2']) for (const stream of streams) stream.write(part)
  for (const stream of streams) stream.end()
  await Promise.all(ended)
  const served = () => exporter.spans.filter(({ kind }) => kind === SpanKind.SERVER)
  await expect.poll(() => tracer.flush().then(() => served().length)).toBe(3)
  const pathOf = new Map(served().map(span => [span.spanId, span.attributes['url.path']]))
  expect([...pathOf.values()].sort()).toEqual(['/a', '/b', '/c'])
  const parts = exporter.spans.filter(({ kind }) => kind === SpanKind.INTERNAL)
  expect(parts.length).toBeGreaterThanOrEqual(3)
  for (const { name, parentSpanId } of parts) {
    expect(name).toMatch(new RegExp(` of ${pathOf.get(parentSpanId!)}$`))
  }
})

test.each(['request', 'stream'])(
  'listeners of a body over HTTP/2 run in the span of their %s',
  async event => {
    instrumented()
    const server = createServer()
    server.on(event, (request, response) => {
      request.on('data', () => tracer.startSpan('data').end())
      request.on('end', () => {
        tracer.startSpan('end').end()
        if (event === 'request') response.end()
        else request.respond({}, { endStream: true })
      })
    })
    const session = await client(server)
    const stream = session.request({ ':path': '/a', ':method': 'POST' }).resume()
    const ended = once(stream, 'close')
    stream.write('a')
    stream.end()
    await ended
    const all = await spans(3)
    const served = all.find(({ kind }) => kind === SpanKind.SERVER)
    const inside = all.filter(({ kind }) => kind === SpanKind.INTERNAL)
    expect(inside.map(({ name, parentSpanId }) => [name, parentSpanId])).toEqual([
      ['data', served?.spanId],
      ['end', served?.spanId],
    ])
  },
)

describe('a request over HTTP/2 that is lost', () => {
  test.each([
    ['before its answer', () => {}, undefined],
    [
      'within its answer',
      (_: unknown, response: { write(text: string): unknown }) => void response.write('half'),
      200,
    ],
  ])('%s ends its span as aborted', async (_, handle, status) => {
    instrumented()
    const arrived = Promise.withResolvers<void>()
    const server = createServer((request, response) => {
      handle(request, response)
      arrived.resolve()
    })
    const session = await client(server)
    const stream = session.request({ ':path': '/' }).on('error', () => {})
    await arrived.promise
    stream.close(8)
    const [{ attributes, status: outcome }] = (await spans(1)) as [(typeof exporter.spans)[0]]
    expect(attributes['error.type']).toBe('aborted')
    expect(attributes['http.response.status_code']).toBe(status)
    expect(outcome.code).toBe(StatusCode.ERROR)
  })
})
