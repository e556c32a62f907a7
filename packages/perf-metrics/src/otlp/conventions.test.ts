import { channel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { request as undiciRequest } from 'undici'
import { describe, expect, it } from 'vitest'
import { decoded, exportMetricsRequest } from '../bytes/definitions.fixture.ts'
import { collectRuntime, instrumentChannels, setHttpRoute } from '../collect.ts'
import { Registry } from '../index.ts'

/** What OpenTelemetry's registry names, without what is deprecated. */
function named(kind: 'ATTR' | 'METRIC', file: 'attributes' | 'metrics'): ReadonlySet<string> {
  const entry = fileURLToPath(import.meta.resolve('@opentelemetry/semantic-conventions'))
  const names = new Set<string>()
  for (const stability of ['stable', 'experimental']) {
    const path = entry.replace(/index\.mjs$/, `${stability}_${file}.d.mts`)
    const pattern = new RegExp(
      `/\\*\\*((?:(?!\\*/)[\\s\\S])*)\\*/\\s*(?:export )?declare const ${kind}_\\w+: "([^"]+)"`,
      'g',
    )
    for (const [, comment, name] of readFileSync(path, 'utf8').matchAll(pattern)) {
      if (!comment!.includes('@deprecated')) names.add(name!)
    }
  }
  return names
}

interface SentMetric {
  readonly name: string
  readonly unit?: string
  readonly [kind: string]: unknown
}

type Attributes = Record<string, string | number | boolean>

function pointsOf(metric: SentMetric): Attributes[] {
  const kinds = ['gauge', 'sum', 'histogram', 'exponentialHistogram']
  const data = kinds.map(kind => metric[kind]).find(each => each !== undefined) as {
    dataPoints: { attributes?: { key: string; value: Record<string, never> }[] }[]
  }
  return data.dataPoints.map(({ attributes = [] }) =>
    Object.fromEntries(
      attributes.map(({ key, value }) => {
        const { intValue, stringValue, boolValue } = value
        return [key, intValue === undefined ? (stringValue ?? boolValue!) : Number(intValue)]
      }),
    ),
  )
}

function sent(metrics: Registry): SentMetric[] {
  const [{ scopeMetrics }] = decoded(exportMetricsRequest, metrics.toOtlp()).resourceMetrics
  return scopeMetrics[0].metrics
}

/** One of everything that the collectors measure. */
async function everything(metrics: Registry): Promise<void> {
  using _runtime = collectRuntime(metrics)
  using _channels = instrumentChannels(metrics)
  globalThis.gc!()
  const server = createServer((request, response) => {
    if (request.url === '/cut') return void request.socket.destroy()
    setHttpRoute(request, '/users/:id')
    response.writeHead(request.method === 'GET' ? 503 : 200).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  for (const method of ['GET', 'PROPFIND', 'REPORT']) {
    await (await undiciRequest(origin, { method: method as 'GET' })).body.dump()
  }
  await expect(undiciRequest(`${origin}/cut`)).rejects.toThrow()
  server.close()
  const publish = (name: string, message: object): void => {
    channel(`${name}:start`).publish(message)
    channel(`${name}:end`).publish(message)
  }
  publish('millrace:cache:load', { awaited: true })
  publish('millrace:cache:evict', {})
  publish('millrace:redis:command', { operation: 'get' })
  publish('millrace:http:request', { method: 'GET', origin: 'https://[::1]', statusCode: 200 })
  publish('millrace:http:request', { method: 'GET', origin: 'https://a:8443', error: {} })
  publish('millrace:http:attempt', { origin: 'http://a', reason: 'first', statusCode: 200 })
  publish('millrace:limit:wait', { limiter: 'api' })
  publish('millrace:limit:refuse', { limiter: 'api' })
  publish('millrace:files:parse', {})
  const command = { command: 'get' }
  channel('tracing:ioredis:command:start').publish(command)
  channel('tracing:ioredis:command:asyncEnd').publish(command)
  // Updates that went wrong are told as well.
  const own = metrics.counter('own_total', { labels: ['tenant'], maxSeries: 1 })
  own.inc({ tenant: 'a' })
  own.inc({ tenant: 'b' })
  own.inc({} as never)
  // Collections are told of on a later turn.
  await expect.poll(() => metrics.toPrometheus()).toContain('kind="major"')
}

describe('what is sent over OTLP of what the collectors measure', () => {
  it('has names and attributes of the conventions, or ours by name, and none twice', async () => {
    using metrics = new Registry()
    await everything(metrics)
    const attributes = named('ATTR', 'attributes')
    const conventional = named('METRIC', 'metrics')
    expect(attributes.size).toBeGreaterThan(500)
    const seen = new Set<string>()
    for (const metric of sent(metrics)) {
      if (metric.name.includes('.')) expect(conventional, metric.name).toContain(metric.name)
      const points = pointsOf(metric)
      expect(new Set(points.map(point => JSON.stringify(point))).size).toBe(points.length)
      for (const point of points) {
        for (const [name, value] of Object.entries(point)) {
          seen.add(name)
          // The program's own.
          if (metric.name === 'own') continue
          if (!name.startsWith('millrace.'))
            expect(attributes, `${metric.name}: ${name}`).toContain(name)
          expect(value, `${metric.name}: ${name}`).not.toBe('')
          if (/\.(?:status_code|port)$/.test(name)) expect(value).toBeTypeOf('number')
          if (name === 'server.address') expect(value).toMatch(/^(?:[\w.-]+|[0-9a-f:.]+)$/)
        }
      }
    }
    for (const name of ['http.request.method_original', 'v8js.gc.type', 'db.operation.name']) {
      expect(seen).toContain(name)
    }
  })

  it('has served requests under the names and types of the conventions, and the exposition its own', async () => {
    using metrics = new Registry()
    await everything(metrics)
    const served = sent(metrics).find(({ name }) => name === 'http.server.request.duration')!
    expect(served.unit).toBe('s')
    const common = { 'url.scheme': 'http', 'network.protocol.version': '1.1' }
    expect(pointsOf(served)).toEqual([
      {
        ...common,
        'http.request.method': 'GET',
        'http.route': '/users/:id',
        'http.response.status_code': 503,
        'error.type': '503',
      },
      // Two methods of a client's invention: they are one, as they are no names.
      {
        ...common,
        'http.request.method': '_OTHER',
        'http.route': '/users/:id',
        'http.response.status_code': 200,
      },
      { ...common, 'http.request.method': 'GET', 'error.type': 'aborted' },
    ])
    const json = JSON.stringify(metrics.toOtlpJson())
    expect(json).toContain('{"key":"http.response.status_code","value":{"intValue":"503"}}')
    expect(metrics.toPrometheus()).toContain(
      'http_server_request_duration_seconds_count{http_request_method="GET",url_scheme="http",http_route="/users/:id",http_response_status_code="503"',
    )
  })

  it('marks what a full metric had no room for', () => {
    using metrics = new Registry({ maxSeries: 1 })
    using _ = instrumentChannels(metrics)
    for (const limiter of ['a', 'b', 'c']) {
      const message = { limiter }
      channel('millrace:limit:wait:start').publish(message)
      channel('millrace:limit:wait:end').publish(message)
    }
    const waits = sent(metrics).find(({ name }) => name === 'millrace_limit_wait_seconds')!
    expect(pointsOf(waits)).toEqual([
      { 'millrace.limit.name': 'a' },
      { 'otel.metric.overflow': true },
    ])
  })

  it('is what a program has said, of a metric of its own', () => {
    using metrics = new Registry()
    const labels = ['http_request_method', 'tenant'] as const
    metrics
      .counter('undici_request_failures_total', { labels })
      .inc({ http_request_method: 'GET', tenant: '' })
    metrics.counter('constructor', { labels: ['origin'] }).inc({ origin: 'http://a' })
    expect(sent(metrics).map(metric => [metric.name, pointsOf(metric)])).toEqual([
      ['undici_request_failures', [{ http_request_method: 'GET', tenant: '' }]],
      ['constructor', [{ origin: 'http://a' }]],
    ])
  })
})
