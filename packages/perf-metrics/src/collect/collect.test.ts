import { channel } from 'node:diagnostics_channel'
import { EventEmitter, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import { createHistogram, PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { RedisServer } from '@millrace/testkit'
import { Redis } from 'ioredis'
import { request } from 'undici'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  type ChannelOptions,
  collectRuntime,
  EventMetrics,
  IGNORED,
  instrumentChannels,
  setHttpRoute,
  UNHANDLED,
} from '../collect.ts'
import { type GaugeJson, type HistogramJson, Registry } from '../index.ts'
import { delayReading } from './event-loop-delay.ts'

function valueOfLine(text: string, sample: string): number {
  const line = text.split('\n').find(l => l.startsWith(`${sample} `))
  return Number(line?.slice(sample.length + 1) ?? NaN)
}

describe('runtime metrics', () => {
  it('are collected once, until the last who asked for them closes them', () => {
    const metrics = new Registry()
    const observed = vi.spyOn(PerformanceObserver.prototype, 'observe')
    const disconnected = vi.spyOn(PerformanceObserver.prototype, 'disconnect')
    const collectors = vi.spyOn(metrics, 'addCollector')
    onTestFinished(() => void vi.restoreAllMocks())
    const first = collectRuntime(metrics)
    const all = collectors.mock.calls.length
    const second = collectRuntime(metrics)
    expect(all).toBeGreaterThan(0)
    expect(collectors).toHaveBeenCalledTimes(all)
    expect(observed).toHaveBeenCalledTimes(1)
    first.close()
    first.close()
    expect(disconnected).not.toHaveBeenCalled()
    second.close()
    expect(disconnected).toHaveBeenCalledTimes(1)
    // And anew after that.
    collectRuntime(metrics).close()
    expect(observed).toHaveBeenCalledTimes(2)
    expect(disconnected).toHaveBeenCalledTimes(2)
  })

  it('report the process under the names that dashboards know', async () => {
    const metrics = new Registry()
    using _ = collectRuntime(metrics, { eventLoopResolution: 10 })
    globalThis.gc!()
    // The observer of collections and the monitor of delays report on later turns of the loop.
    const reported = (): boolean => {
      const [lag] = metrics.toJSON().metrics.filter(m => m.name === 'nodejs_eventloop_lag_seconds')
      const { lastUpdate } = lag!.series[0] as GaugeJson
      return lastUpdate !== null && metrics.toPrometheus().includes('kind="major"')
    }
    while (!reported()) await delay(5)
    const text = metrics.toPrometheus()
    expect(valueOfLine(text, 'process_cpu_seconds_total')).toBeGreaterThan(0)
    expect(valueOfLine(text, 'process_resident_memory_bytes')).toBeGreaterThan(1e7)
    expect(valueOfLine(text, 'nodejs_heap_size_used_bytes')).toBeGreaterThan(1e6)
    expect(valueOfLine(text, 'nodejs_heap_space_size_used_bytes{space="old"}')).toBeGreaterThan(1e5)
    expect(
      valueOfLine(text, 'nodejs_gc_duration_seconds_count{kind="major"}'),
    ).toBeGreaterThanOrEqual(1)
    expect(text).toContain(`nodejs_version_info{version="${process.version}"`)
    expect(valueOfLine(text, 'nodejs_eventloop_utilization_ratio')).toBeGreaterThan(0)
    expect(valueOfLine(text, 'process_open_fds')).toBeGreaterThan(2)
    expect(valueOfLine(text, 'process_max_fds')).toBeGreaterThan(10)
  })

  it('sample the delay of the event loop only once an export asks for it', async () => {
    const metrics = new Registry()
    using _ = collectRuntime(metrics, { eventLoopResolution: 5 })
    const lastUpdate = (): number => {
      const [lag] = metrics.collect(['nodejs_eventloop_lag_seconds'])
      const [series] = lag!.series()
      return (series as unknown as { lastUpdate: number }).lastUpdate
    }
    // Others read what is no delay.
    expect(metrics.collect(['process_cpu_seconds_total'])).toHaveLength(1)
    await delay(50)
    expect(lastUpdate()).toBe(0)
    while (lastUpdate() === 0) await delay(5)
  })

  it('take for delay what a tick of the monitor is late, over ten seconds at least', () => {
    const metrics = new Registry()
    const monitor = createHistogram()
    let time = 0
    const read = delayReading(metrics, monitor, 20, () => time)
    const lag = (statistic: string): number =>
      valueOfLine(metrics.toPrometheus(), `nodejs_eventloop_lag${statistic}_seconds`)
    const milliseconds = (...ticks: number[]): void => {
      for (const tick of ticks) monitor.record(tick * 1e6)
      read()
    }
    read()
    expect(lag('_max')).toBe(0)
    milliseconds(19, 20, 20, 221)
    // The histogram keeps three digits.
    expect(lag('_max')).toBeCloseTo(0.201, 3)
    expect(lag('_min')).toBe(0)
    expect(lag('')).toBeCloseTo(0.05, 3)
    expect(lag('_p50')).toBeCloseTo(0, 3)
    expect(lag('_p99')).toBeCloseTo(0.201, 3)
    expect(lag('_stddev')).toBeCloseTo(0.087, 3)
    time = 9_999
    milliseconds(25)
    expect(lag('_max')).toBeCloseTo(0.201, 3)
    time = 10_000
    read()
    milliseconds(25)
    expect(lag('_max')).toBeCloseTo(0.005, 3)
  })

  it('cost nothing when metrics are disabled', () => {
    const metrics = new Registry({ enabled: false })
    using _ = collectRuntime(metrics)
    expect(metrics.toPrometheus()).toBe('')
  })

  it('refuse a resolution that would be a load of its own', () => {
    expect(() => collectRuntime(new Registry(), { eventLoopResolution: 1 })).toThrow(
      'Expected `eventLoopResolution` to be an integer of at least 5, got a positive integer of 1 digit',
    )
  })
})

describe('diagnostics channels', () => {
  it('turn what Millrace’s packages publish into timings', () => {
    const metrics = new Registry()
    const registration = instrumentChannels(metrics)
    const publish = (operation: string, message: object): void => {
      channel(`millrace:${operation}:start`).publish(message)
      channel(`millrace:${operation}:end`).publish(message)
    }
    publish('cache:load', { keys: ['secret'], awaited: true })
    publish('cache:load', { keys: ['secret'], awaited: false, error: new Error('x') })
    publish('http:request', { method: 'GET', origin: 'http://a', path: '/secret', statusCode: 200 })
    publish('http:request', { method: 'GET', origin: 'http://a', path: '/secret', error: {} })
    publish('limit:wait', { limiter: 'api', cost: 1 })
    channel('millrace:redis:command:end').publish({ operation: 'get' })
    const text = metrics.toPrometheus()
    expect(text).toContain('millrace_cache_load_seconds_count{awaited="true"} 1\n')
    expect(text).toContain('millrace_cache_load_failures_total{awaited="false"} 1\n')
    expect(text).toContain('{method="GET",origin="http://a",status="200"} 1\n')
    expect(text).toContain('{method="GET",origin="http://a",status="error"} 1\n')
    expect(text).toContain('millrace_limit_wait_seconds_count{limiter="api"} 1\n')
    expect(text).not.toContain('secret')
    expect(text).not.toContain('redis')
    registration.close()
    publish('limit:wait', { limiter: 'api', cost: 1 })
    expect(metrics.toPrometheus()).toBe(text)
  })

  it('bear readers that throw, of which the operations count as mislabelled', () => {
    const metrics = new Registry()
    const boom = (): never => {
      throw new Error('of the program')
    }
    const operation = { help: 'h', start: 'x:start', end: 'x:end', labels: ['a'] }
    using _ = instrumentChannels(metrics, {
      httpServer: false,
      operations: [
        { ...operation, metric: 'unread_seconds', read: boom },
        { ...operation, metric: 'unknown_seconds', read: () => ({ a: 'x' }), key: boom },
        { ...operation, metric: 'text_seconds', read: () => ({ a: 'x' }), key: () => 5 as never },
        { ...operation, metric: 'good_seconds', read: () => ({ a: 'x' }) },
      ],
    })
    const message = {}
    channel('x:start').publish(message)
    channel('x:end').publish(message)
    const text = metrics.toPrometheus()
    expect(text).toContain('good_seconds_count{a="x"} 1\n')
    expect(text).toContain('millrace_metrics_mislabelled_total{metric="unread_seconds"} 1\n')
    expect(text).not.toMatch(/unknown_seconds|text_seconds/)
  })

  it('see real requests of undici and of Node’s server', async () => {
    const metrics = new Registry()
    using _ = instrumentChannels(metrics)
    const server = createServer((req, res) => {
      if (req.url === '/cut') req.destroy()
      else res.writeHead(418).end('x')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const { body } = await request(`${origin}/private?token=1`)
    await body.text()
    await expect(request(`${origin}/cut`)).rejects.toThrow()
    server.close()
    const { metrics: all } = metrics.toJSON()
    const series = (name: string) => all.find(metric => metric.name === name)?.series
    expect(series('undici_request_seconds')).toMatchObject([
      { labels: { method: 'GET', origin }, count: 2 },
    ])
    expect(series('undici_request_failures_total')).toMatchObject([{ value: 1 }])
    const [served] = series('http_server_request_duration_seconds') as HistogramJson[]
    expect(served).toMatchObject({
      labels: { http_request_method: 'GET', http_response_status_code: '418' },
      count: 1,
    })
    expect(metrics.toPrometheus()).not.toContain('token')
  })
})

describe('metrics of served requests', () => {
  /** Requests the paths one after the other, and returns what was counted. */
  async function counted(options: ChannelOptions, paths: readonly string[]): Promise<string[]> {
    const metrics = new Registry()
    using _ = instrumentChannels(metrics, options)
    const server = createServer((req, res) => {
      const [, what, id] = req.url!.split('/')
      if (what === 'users' && id !== undefined) setHttpRoute(req, '/users/:id')
      if (what === 'all') setHttpRoute(req, req.url!)
      res.end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    for (const path of paths) await (await request(`${origin}${path}`)).body.text()
    server.close()
    const lines = metrics.toPrometheus().split('\n')
    return lines.flatMap(
      line => /^http_server_request_duration_seconds_count(.*)$/.exec(line)?.[1] ?? [],
    )
  }

  it('know the route, and leave health checks out', async () => {
    const paths = ['/users/1?x=1', '/users/2', '/none', '/healthz?deep', '/metrics']
    expect(await counted({ httpServer: { ignore: ['/healthz', '/metrics'] } }, paths)).toEqual([
      '{http_request_method="GET",url_scheme="http",http_route="/users/:id",http_response_status_code="200",error_type="",network_protocol_version="1.1"} 2',
      '{http_request_method="GET",url_scheme="http",http_route="",http_response_status_code="200",error_type="",network_protocol_version="1.1"} 1',
    ])
    const byFunction = { ignore: (path: string) => path !== '/none', route: () => '/any' }
    expect(await counted({ httpServer: byFunction }, paths)).toEqual([
      '{http_request_method="GET",url_scheme="http",http_route="/any",http_response_status_code="200",error_type="",network_protocol_version="1.1"} 1',
    ])
    expect(await counted({ httpServer: false }, paths)).toEqual([])
  })

  it('see what was never answered, and of an absolute target the path alone', async () => {
    const metrics = new Registry()
    using _ = instrumentChannels(metrics, { httpServer: { ignore: ['/healthz'] } })
    const ended: Promise<unknown>[] = []
    const server = createServer((req, res) => {
      ended.push(once(res, 'close'))
      if (req.url === '/hangs') req.socket.destroySoon()
      else if (req.url === '/cut') res.write('half', () => res.destroy())
      else res.end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    for (const target of ['/hangs', '/cut', '/fine', 'http://user:secret@x/healthz?secret']) {
      const socket = connect(port, '127.0.0.1')
      socket.resume().write(`GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
      await once(socket, 'close')
    }
    await Promise.all(ended)
    server.close()
    const text = metrics.toPrometheus()
    const samples = text.match(/^http_server_request_duration_(seconds_count|failures_total).*$/gm)
    expect(samples).toEqual([
      'http_server_request_duration_seconds_count{http_request_method="GET",url_scheme="http",http_route="",http_response_status_code="",error_type="aborted",network_protocol_version="1.1"} 2',
      'http_server_request_duration_seconds_count{http_request_method="GET",url_scheme="http",http_route="",http_response_status_code="200",error_type="",network_protocol_version="1.1"} 1',
      'http_server_request_duration_failures_total{http_request_method="GET",url_scheme="http",http_route="",http_response_status_code="",error_type="aborted",network_protocol_version="1.1"} 2',
    ])
  })

  it('have the labels of the conventions, and no method of a client’s invention', async () => {
    const metrics = new Registry()
    using _ = instrumentChannels(metrics)
    const server = createServer((_req, res) => res.writeHead(503).end())
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await (await request(`http://127.0.0.1:${port}`, { method: 'PROPFIND' })).body.dump()
    server.close()
    const { metrics: all } = metrics.toJSON()
    const served = all.find(({ name }) => name === 'http_server_request_duration_seconds')!
    const [{ labels }] = served.series as [HistogramJson]
    const entry = fileURLToPath(import.meta.resolve('@opentelemetry/semantic-conventions'))
    const conventions = readFileSync(
      entry.replace(/index\.mjs$/, 'stable_attributes.d.mts'),
      'utf8',
    )
    for (const label of Object.keys(labels)) {
      expect(conventions).toContain(`ATTR_${label.toUpperCase()}: "`)
    }
    expect(labels).toEqual({
      http_request_method: '_OTHER',
      url_scheme: 'http',
      http_route: '',
      http_response_status_code: '503',
      error_type: '503',
      network_protocol_version: '1.1',
    })
  })

  it('know HTTP/2, its routes, and streams that were reset', async () => {
    const metrics = new Registry()
    using _ = instrumentChannels(metrics, { httpServer: { ignore: ['/healthz'] } })
    const server = createHttp2Server((request, response) => {
      if (request.url === '/reset') return response.stream.close(8)
      setHttpRoute(request, '/users/:id')
      return response.writeHead(404).end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    for (const path of ['/users/1', '/healthz?deep', '/users/2', '/reset']) {
      const stream = client.request({ ':path': path }).on('error', () => {})
      await once(stream.resume(), 'close')
    }
    client.close()
    server.close()
    await once(server, 'close')
    const samples = metrics
      .toPrometheus()
      .match(/^http_server_request_duration_(seconds_count|failures_total).*$/gm)
    expect(samples).toEqual([
      'http_server_request_duration_seconds_count{http_request_method="GET",url_scheme="http",http_route="/users/:id",http_response_status_code="404",error_type="",network_protocol_version="2"} 2',
      'http_server_request_duration_seconds_count{http_request_method="GET",url_scheme="http",http_route="",http_response_status_code="",error_type="aborted",network_protocol_version="2"} 1',
      'http_server_request_duration_failures_total{http_request_method="GET",url_scheme="http",http_route="",http_response_status_code="",error_type="aborted",network_protocol_version="2"} 1',
    ])
  })

  it('do not take more routes than a service has', async () => {
    const paths = Array.from({ length: 1_010 }, (_, i) => `/all/${i}`)
    const series = await counted({}, [...paths, '/users/1'])
    expect(series).toHaveLength(1_001)
    expect(series.at(-1)).toBe(
      '{http_request_method="GET",url_scheme="http",http_route="",http_response_status_code="200",error_type="",network_protocol_version="1.1"} 11',
    )
  })

  it.each([
    [{ httpServer: { ignored: [] } }, 'did you mean `ignore`?'],
    [{ httpServer: { ignore: ['healthz'] } }, 'Expected `httpServer.ignore` to be paths'],
    [{ httpServer: { route: '/x' } }, 'Expected `httpServer.route` to be a function'],
    [{ operation: [] }, 'did you mean `operations`?'],
  ])('refuse %j', (options, message) => {
    expect(() => instrumentChannels(new Registry(), options as never)).toThrow(message)
  })
})

describe('diagnostics channels of ioredis', () => {
  it('see the commands of a real client, and which of them failed', async () => {
    const metrics = new Registry()
    using _ = instrumentChannels(metrics)
    await using server = await RedisServer.start()
    const client = new Redis(server.port, '127.0.0.1')
    try {
      await client.set('secret', 'x')
      await client.get('secret')
      await expect(client.incr('secret')).rejects.toThrow('not an integer')
    } finally {
      client.disconnect()
    }
    const text = metrics.toPrometheus()
    for (const command of ['set', 'get', 'incr']) {
      expect(text).toContain(`ioredis_command_seconds_count{command="${command}"} 1\n`)
    }
    expect(text).toContain('ioredis_command_failures_total{command="incr"} 1\n')
    expect(text).not.toContain('ioredis_command_failures_total{command="get"} 1')
    expect(text).not.toContain('secret')
  })
})

describe('event servers', () => {
  it('are counted by type and outcome', async () => {
    const metrics = new Registry()
    const events = new EventMetrics(metrics)
    events.handle('rename', () => 'done')
    await events.handle('rename', async () => 'done')
    events.handle('cursor', () => IGNORED)
    await events.handle('odd', async () => UNHANDLED)
    expect(() =>
      events.handle('bad', () => {
        throw new Error('no')
      }),
    ).toThrow('no')
    const text = metrics.toPrometheus()
    expect(text).toContain('events_received_total{type="rename"} 2\n')
    expect(text).toContain('events_processed_total{type="rename"} 2\n')
    expect(text).toContain('events_ignored_total{type="cursor"} 1\n')
    expect(text).toContain('events_unhandled_total{type="odd"} 1\n')
    expect(text).toContain('events_processing_failures_total{type="bad"} 1\n')
    expect(text).not.toContain('events_processed_total{type="bad"}')
    expect(text).toContain('events_processing_seconds_count{type="rename"} 2\n')
  })

  it('may be emitters, which go on as before', () => {
    const metrics = new Registry()
    const events = new EventMetrics(metrics, { prefix: 'bus', maxTypes: 2 })
    const emitter = new EventEmitter()
    const registration = events.instrument(emitter)
    const heard: unknown[] = []
    emitter.on('a', (...args) => heard.push(args))
    expect(emitter.emit('a', 1, 2)).toBe(true)
    expect(emitter.emit('b')).toBe(false)
    expect(emitter.emit('c')).toBe(false)
    expect(heard).toEqual([[1, 2]])
    const text = metrics.toPrometheus()
    expect(text).toContain('bus_processed_total{type="a"} 1\n')
    expect(text).toContain('bus_unhandled_total{type="b"} 1\n')
    expect(text).toContain('bus_received_total{type="__overflow__"} 1\n')
    registration.close()
    emitter.emit('a')
    expect(metrics.toPrometheus()).toBe(text)
    expect(Object.hasOwn(emitter, 'emit')).toBe(false)
  })

  it('may be emitters that others measure too, whichever ends first', () => {
    const metrics = new Registry()
    const emitter = new EventEmitter()
    const [first, second] = ['first', 'second'].map(prefix =>
      new EventMetrics(metrics, { prefix }).instrument(emitter),
    )
    emitter.emit('a')
    first!.close()
    emitter.emit('a')
    const text = metrics.toPrometheus()
    expect(text).toContain('first_received_total{type="a"} 1\n')
    expect(text).toContain('second_received_total{type="a"} 2\n')
    second!.close()
    emitter.emit('a')
    expect(metrics.toPrometheus()).toBe(text)
    expect(() => new EventMetrics(metrics).instrument({} as never)).toThrow(
      'Expected `emitter` to be an EventEmitter',
    )
  })
})
