import { channel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import http, { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as immediate } from 'node:timers/promises'
import { RedisServer } from '@millrace/testkit'
import { Redis } from 'ioredis'
import { fetch as undiciFetch, request as undiciRequest } from 'undici'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type FinishedSpan, MemoryExporter } from '../export/memory-exporter.ts'
import { SpanKind, StatusCode } from '../span/api/span.ts'
import { Tracer } from '../tracer/tracer.ts'
import { type Instrumentation, instrument } from './instrument.ts'

let exporter: MemoryExporter
let tracer: Tracer
let instrumentation: Instrumentation
let server: Server
let origin: string
let releaseBody: () => void

beforeAll(async () => {
  server = createServer(async (incoming, response) => {
    if (incoming.url === '/hang') return
    if (incoming.url === '/slow-body') {
      response.write('first')
      releaseBody = () => response.end('last')
      return
    }
    if (incoming.url === '/cut-body') {
      response.write('first', () => setImmediate(() => incoming.socket.destroy()))
      return
    }
    if (incoming.url === '/reset') {
      incoming.socket.destroy()
      return
    }
    await immediate()
    tracer.startSpan('inside').end()
    response.statusCode = incoming.url?.startsWith('/fail') ? 503 : 200
    response.end(incoming.headers.traceparent ?? 'none')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  exporter = new MemoryExporter()
  tracer = new Tracer({ exporter, signals: [] })
  instrumentation = instrument(tracer)
})
afterEach(async () => {
  instrumentation.close()
  await tracer.close()
})

async function paths(): Promise<string[]> {
  // Either end may hear of the end of an answer after the other one.
  await expect.poll(() => tracer.stats().started - tracer.stats().ended).toBe(0)
  await tracer.flush()
  const byId = new Map(exporter.spans.map(span => [span.spanId, span]))
  const path = (span: FinishedSpan): string => {
    const parent = byId.get(span.parentSpanId ?? '')
    return `${parent === undefined ? '' : `${path(parent)} > `}${span.name}:${span.kind}`
  }
  return exporter.spans.map(path).sort()
}

function named(name: string): FinishedSpan {
  return exporter.spans.find(span => span.name === name)!
}

/** Resolves when a client has read the headers of an answer, and the instrumentation has seen them. */
function answered(): Promise<void> {
  const channels = ['http.client.response.finish', 'undici:request:headers'].map(name =>
    channel(name),
  )
  return new Promise(resolve => {
    const onHeaders = () => {
      for (const each of channels) each.unsubscribe(onHeaders)
      resolve()
    }
    for (const each of channels) each.subscribe(onHeaders)
  })
}

const clients: Record<string, (url: string) => Promise<string>> = {
  'node:http': async url => {
    const [response] = (await once(http.get(url), 'response')) as [http.IncomingMessage]
    let body = ''
    for await (const part of response) body += part
    return body
  },
  'undici.request': async url => (await undiciRequest(url)).body.text(),
  'undici.fetch': async url => (await undiciFetch(url)).text(),
  'global fetch': async url => (await fetch(url)).text(),
}

describe.each(Object.entries(clients))('a call by %s', (_, get) => {
  test('continues in the server, with spans on both sides', async () => {
    const traceparent = await tracer.span('root', () => get(`${origin}/path?secret=1`))
    expect(await paths()).toEqual([
      'root:0',
      'root:0 > GET:2',
      'root:0 > GET:2 > GET:1',
      'root:0 > GET:2 > GET:1 > inside:0',
    ])
    const client = exporter.spans.find(span => span.kind === SpanKind.CLIENT)!
    const service = exporter.spans.find(span => span.kind === SpanKind.SERVER)!
    expect(traceparent).toBe(`00-${client.traceId}-${client.spanId}-03`)
    expect(service.parentRemote).toBe(true)
    expect(client.attributes).toMatchObject({
      'http.request.method': 'GET',
      'url.full': `${origin}/path`,
      'server.address': '127.0.0.1',
      'server.port': (server.address() as AddressInfo).port,
      'http.response.status_code': 200,
    })
    expect(service.attributes).toMatchObject({
      'url.path': '/path',
      'http.response.status_code': 200,
    })
  })

  test('takes as long as its body', async () => {
    const headersReceived = answered()
    const call = tracer.span('root', () => get(`${origin}/slow-body`))
    await headersReceived
    expect(tracer.stats().ended).toBe(0)
    releaseBody()
    await call
    await expect.poll(() => tracer.stats().ended).toBe(3)
  })

  test('fails when the connection is lost in the middle of the body', async () => {
    await expect(tracer.span('root', () => get(`${origin}/cut-body`))).rejects.toThrow()
    await paths()
    const client = exporter.spans.find(span => span.kind === SpanKind.CLIENT)!
    expect(client.attributes['http.response.status_code']).toBe(200)
    expect(client.status.code).toBe(StatusCode.ERROR)
    expect(client.attributes['error.type']).toEqual(expect.any(String))
  })

  test('fails with the status of the answer', async () => {
    await tracer.span('root', () => get(`${origin}/fail`))
    await paths()
    for (const span of exporter.spans.filter(({ name }) => name === 'GET')) {
      expect(span).toMatchObject({
        status: { code: StatusCode.ERROR },
        attributes: { 'error.type': '503' },
      })
    }
  })

  test('fails with the error of the connection', async () => {
    await expect(tracer.span('root', () => get(`${origin}/reset`))).rejects.toThrow()
    await paths()
    const client = exporter.spans.find(span => span.kind === SpanKind.CLIENT)!
    const service = exporter.spans.find(span => span.kind === SpanKind.SERVER)!
    expect(client.status.code).toBe(StatusCode.ERROR)
    expect(client.events[0]?.name).toBe('exception')
    expect(tracer.stats().lateCalls).toBe(0)
    expect(service).toMatchObject({
      status: { code: StatusCode.ERROR },
      attributes: { 'error.type': 'aborted' },
    })
  })

  test('outside every span makes only the span of the server', async () => {
    await get(`${origin}/`)
    expect(await paths()).toEqual(['GET:1', 'GET:1 > inside:0'])
  })
})

test('requests of one connection do not see each other', async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  const one = (path: string) =>
    new Promise(resolve =>
      http.get(`${origin}${path}`, { agent }, response => response.resume().on('end', resolve)),
    )
  await Promise.all([one('/1'), one('/2'), one('/3')])
  agent.destroy()
  expect(await paths()).toEqual([
    'GET:1',
    'GET:1',
    'GET:1',
    'GET:1 > inside:0',
    'GET:1 > inside:0',
    'GET:1 > inside:0',
  ])
})

test('ioredis commands and transactions are spans, without their arguments', async () => {
  await using redis = await RedisServer.start()
  const client = new Redis(redis.url)
  await client.ping()
  await tracer.span('root', async () => {
    await client.set('secret-key', 'secret-value')
    await client.multi().get('secret-key').exec()
    await expect(client.call('NOSUCH')).rejects.toThrow()
  })
  await client.quit()
  const tree = await paths()
  expect(tree).toContain('root:0 > SET:2')
  expect(tree).toContain('root:0 > MULTI:2')
  expect(named('SET').attributes).toMatchObject({
    'db.system.name': 'redis',
    'db.operation.name': 'SET',
    'db.namespace': '0',
  })
  expect(named('NOSUCH').status.code).toBe(StatusCode.ERROR)
  expect(JSON.stringify(exporter.spans)).not.toContain('secret')
})

/** Publishes as the other packages do. */
async function operation(
  name: string,
  message: object,
  work: () => Promise<unknown>,
): Promise<void> {
  const start = channel(`millrace:${name}:start`)
  expect(start.hasSubscribers).toBe(true)
  try {
    await start.runStores(message, work)
  } catch (error) {
    Object.assign(message, { error })
  }
  channel(`millrace:${name}:end`).publish(message)
}

test('Millrace operations become parents of what they start', async () => {
  await tracer.span('root', async () => {
    await operation('cache:load', { keys: ['user:1'], awaited: true }, () =>
      operation(
        'http:request',
        { method: 'GET', origin: 'http://x', path: '/secret' },
        async () => {
          await operation(
            'http:attempt',
            { method: 'GET', origin: 'http://x', path: '/secret', attempt: 1, reason: 'first' },
            async () => {
              throw Object.assign(new Error('reset'), { code: 'ECONNRESET' })
            },
          )
          const refusal = { limiter: 'api', cost: 1, retryAfter: 20 }
          channel('millrace:limit:refuse:start').publish(refusal)
          channel('millrace:limit:refuse:end').publish(refusal)
        },
      ),
    )
    await operation('limit:wait', { limiter: 'api', cost: 1 }, immediate)
    await operation('redis:command', { operation: 'get', keys: 2 }, immediate)
    await operation('files:parse', { parser: 'ts', path: '/secret.ts', bytes: 10 }, immediate)
  })
  await operation('cache:load', { keys: ['background'], awaited: false }, immediate)
  expect(await paths()).toEqual([
    'root:0',
    'root:0 > cache.load:0',
    'root:0 > cache.load:0 > http.request GET:0',
    'root:0 > cache.load:0 > http.request GET:0 > http.attempt GET:0',
    'root:0 > files.parse:0',
    'root:0 > limit.wait:0',
    'root:0 > redis.get:2',
  ])
  expect(named('http.attempt GET')).toMatchObject({
    status: { code: StatusCode.ERROR, message: 'reset' },
    attributes: { 'error.type': 'ECONNRESET' },
  })
  expect(named('http.request GET').events).toMatchObject([
    { name: 'limit.refuse', attributes: { 'millrace.limit.retry_after': 20 } },
  ])
  expect(JSON.stringify(exporter.spans)).not.toMatch(/secret|user:1/)
})

test('stops, and may begin traces where that is wanted', async () => {
  instrumentation.close()
  expect(channel('millrace:cache:load:start').hasSubscribers).toBe(false)
  expect(channel('undici:request:create').hasSubscribers).toBe(false)
  using _ = instrument(tracer, { roots: true, httpServer: false })
  await operation('cache:load', { keys: [1], awaited: false }, immediate)
  await (await fetch(`${origin}/`)).text()
  expect(await paths()).toEqual(['GET:2', 'cache.load:0', 'inside:0'])
  // A tracer that records nothing has nothing to listen for.
  using _disabled = instrument(new Tracer(), { roots: true })
  expect(channel('http.server.request.start').hasSubscribers).toBe(false)
})
