import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import {
  type ClientRequest,
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { VirtualClock } from '@millrace/testkit'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { exportMetricsResponse as response } from '../bytes/definitions.fixture.ts'
import { Registry } from '../index.ts'
import { OtlpMetricExporter, type PartialSuccess } from '../otlp.ts'

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

async function collector(
  answer: (request: IncomingMessage, response: ServerResponse, n: number) => void,
): Promise<string> {
  let n = 0
  const server = createServer((req, res) => {
    req.resume().on('end', () => answer(req, res, ++n))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/metrics`
}

/** Resolves when a request of this process to `url` has the head of its answer. */
function statusRead(url: string): Promise<void> {
  return new Promise(resolve => {
    const onAnswer = (message: unknown): void => {
      const { host, path } = (message as { request: ClientRequest }).request
      if (!url.endsWith(path) || !url.includes(`//${host}:`)) return
      unsubscribe('http.client.response.finish', onAnswer)
      resolve()
    }
    subscribe('http.client.response.finish', onAnswer)
  })
}

function counted(clock?: VirtualClock): Registry {
  const metrics = new Registry({ clock })
  metrics.counter('x_total').inc()
  return metrics
}

describe('delivery', () => {
  it.each([200, 201, 202, 204, 299])('takes %d for a success', async status => {
    const url = await collector((_, res) => res.writeHead(status).end())
    await using exporter = new OtlpMetricExporter(counted(), { url })
    await exporter.export()
    expect(exporter.stats()).toMatchObject({ exports: 1, failures: 0 })
  })

  it.each(['cut off', 'endless', 'late'])(
    'takes the status for the answer where the body is %s',
    async kind => {
      const url = await collector((req, res) => {
        res.writeHead(200, kind === 'endless' ? {} : { 'content-length': 100 })
        if (kind === 'late') res.write('half')
        else if (kind === 'cut off') res.write('half', () => req.socket.destroy())
        else {
          const more = () => {
            while (!res.destroyed && res.write(Buffer.alloc(2 ** 16)));
          }
          res.on('drain', more)
          more()
        }
      })
      const clock = new VirtualClock(0)
      const exporter = new OtlpMetricExporter(counted(clock), { url, timeout: 5000 })
      const read = statusRead(url)
      const exported = exporter.export()
      await read
      if (kind === 'late') clock.advance(5000)
      await exported
      expect(exporter.stats()).toMatchObject({ exports: 1, failures: 0, retries: 0 })
      for (const close of closing.splice(0)) close()
      await exporter.close()
    },
  )

  it.each([
    '{"partialSuccess":{"errorMessage":{"toString":1},"rejectedDataPoints":{"toString":1}}}',
    '{"partialSuccess":{"errorMessage":null,"rejectedDataPoints":[1]}}',
    '{"partialSuccess":5}',
    'null',
  ])('takes an answer that is no partial success for a full one: %s', async body => {
    const url = await collector((_, res) => res.end(body))
    const told: PartialSuccess[] = []
    await using exporter = new OtlpMetricExporter(counted(), {
      url,
      protocol: 'http/json',
      onPartialSuccess: partial => told.push(partial),
    })
    await exporter.export()
    expect([told, exporter.stats()]).toMatchObject([[], { exports: 1, pointsSent: 1 }])
  })

  it('is closed once, after the export under way, and exports no more', async () => {
    const answers: (() => void)[] = []
    const url = await collector((_, res) => answers.push(() => res.end()))
    const metrics = counted()
    const exporter = new OtlpMetricExporter(metrics, { url })
    const running = exporter.export()
    const closings = [exporter.close(), exporter.close()]
    let over = 0
    for (const one of closings) void one.then(() => over++)
    await expect(exporter.export()).rejects.toMatchObject({
      code: 'ERR_MILLRACE_METRICS_EXPORT',
      message: 'The exporter is closed',
    })
    for (let sent = 0; sent < 2; sent++) {
      while (answers.length === 0) await new Promise(resolve => setImmediate(resolve))
      expect(over).toBe(0)
      answers.pop()!()
    }
    await Promise.all([running, ...closings])
    expect(exporter.stats()).toMatchObject({ exports: 2, failures: 0 })
    await exporter.close()
  })

  it('comes back no sooner than by itself where the collector asks for less', async () => {
    const clock = new VirtualClock(0)
    const url = await collector((_, res) =>
      res.writeHead(503, { 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' }).end(),
    )
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.5)
    onTestFinished(() => random.mockRestore())
    await using exporter = new OtlpMetricExporter(counted(clock), { url })
    const exported = expect(exporter.export()).rejects.toMatchObject({ status: 503 })
    const reached = async (retries: number) => {
      while (exporter.stats().retries < retries) await new Promise(resolve => setImmediate(resolve))
    }
    for (const [i, backoff] of [500, 1000, 2000, 4000].entries()) {
      await reached(i + 1)
      const before = exporter.stats().bytes
      clock.advance(backoff - 1)
      expect(exporter.stats().bytes).toBe(before)
      clock.advance(1)
    }
    await exported
  })

  it('bounds what a collector says, and bears listeners that throw', async () => {
    const message = response.fromObject({
      partialSuccess: { rejectedDataPoints: 2 ** 53, errorMessage: 'x'.repeat(100_000) },
    })
    const url = await collector((_, res, n) => {
      if (n === 2) res.writeHead(400).end()
      else res.writeHead(200).end(response.encode(message).finish())
    })
    const told: PartialSuccess[] = []
    await using exporter = new OtlpMetricExporter(counted(), {
      url,
      onPartialSuccess: partial => {
        told.push(partial)
        throw new Error('of the listener')
      },
      onError: () => {
        throw new Error('of the listener')
      },
    })
    await exporter.export()
    expect(told).toEqual([{ rejected: 1, message: 'x'.repeat(1000) }])
    expect(exporter.stats()).toMatchObject({ exports: 1, pointsSent: 0, pointsRejected: 1 })
    await expect(exporter.export()).rejects.toMatchObject({ status: 400 })
  })

  it('warns once of exports that fail where nobody is told, and of callbacks that do', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    onTestFinished(() => warn.mockRestore())
    const url = await collector((_, res) => res.writeHead(401).end())
    await using silent = new OtlpMetricExporter(counted(), { url })
    await using failing = new OtlpMetricExporter(counted(), {
      url,
      onError: async () => {
        throw new Error('of the callback')
      },
    })
    for (const exporter of [silent, silent, failing, failing]) {
      await expect(exporter.export()).rejects.toMatchObject({ status: 401 })
    }
    await new Promise(resolve => setImmediate(resolve))
    // Node's own warnings come by the same way.
    const told = warn.mock.calls.filter(call => JSON.stringify(call).includes('MILLRACE_METRICS_'))
    expect(told).toEqual([
      [
        'The collector answered 401 to the metrics: see onError of the exporter',
        { code: 'MILLRACE_METRICS_EXPORT' },
      ],
      [
        'A callback of the exporter of metrics failed: Error: of the callback',
        { code: 'MILLRACE_METRICS_CALLBACK' },
      ],
    ])
  })

  it('sends as the variables say, those of metrics before those of all signals', async () => {
    onTestFinished(() => void vi.unstubAllEnvs())
    const seen: { headers: IncomingMessage['headers']; json: string }[] = []
    const server = createServer(async (req, res) => {
      const chunks: Buffer[] = []
      for await (const chunk of req) chunks.push(chunk as Buffer)
      seen.push({ headers: req.headers, json: Buffer.concat(chunks).toString() })
      res.writeHead(200, { connection: 'close' }).end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    closing.push(() => void server.close())
    const { port } = server.address() as AddressInfo
    for (const [name, value] of Object.entries({
      ENDPOINT: `http://127.0.0.1:${port}`,
      PROTOCOL: 'http/protobuf',
      METRICS_PROTOCOL: 'http/json',
      COMPRESSION: 'none',
      HEADERS: 'key=all',
      METRICS_HEADERS: 'key=own',
      METRICS_TEMPORALITY_PREFERENCE: 'Delta',
      METRICS_DEFAULT_HISTOGRAM_AGGREGATION: 'explicit_bucket_histogram',
    })) {
      vi.stubEnv(`OTEL_EXPORTER_OTLP_${name}`, value)
    }
    const metrics = new Registry()
    metrics.histogram('h').observe(1)
    await using exporter = new OtlpMetricExporter(metrics)
    await exporter.export()
    expect(seen[0]!.headers).toMatchObject({ 'content-type': 'application/json', key: 'own' })
    expect(seen[0]!.headers).not.toHaveProperty('content-encoding')
    const [h] = JSON.parse(seen[0]!.json).resourceMetrics[0].scopeMetrics[0].metrics
    expect(h.histogram).toMatchObject({ aggregationTemporality: 1, dataPoints: [{ count: '1' }] })
    // What the program says goes before all of them.
    await using given = new OtlpMetricExporter(metrics, { histograms: 'exponential', headers: {} })
    await given.export()
    expect(seen[1]!.headers).not.toHaveProperty('key')
    expect(seen[1]!.json).toContain('exponentialHistogram')
  })

  it('warns of variables that cannot be used, once and without their values, and goes on', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    onTestFinished(() => {
      warn.mockRestore()
      vi.unstubAllEnvs()
    })
    vi.stubEnv('OTEL_EXPORTER_OTLP_HEADERS', 'key=%ZZ-secret')
    vi.stubEnv('OTEL_METRIC_EXPORT_INTERVAL', 'secret')
    vi.stubEnv('OTEL_RESOURCE_ATTRIBUTES', 'team=shop,secret')
    vi.stubEnv('OTEL_METRIC_EXPORT_TIMEOUT', '')
    vi.stubEnv('OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc')
    vi.stubEnv('OTEL_EXPORTER_OTLP_COMPRESSION', 'secret')
    vi.stubEnv('OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE', 'lowmemory')
    vi.stubEnv('OTEL_EXPORTER_OTLP_METRICS_ENDPOINT', 'secret')
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', await collector((_, res) => res.end()))
    // Modules of its own, as what other files of this process were warned of is not warned of again.
    vi.resetModules()
    const { Registry: FreshRegistry } = await import('../index.ts')
    const { OtlpMetricExporter: FreshExporter } = await import('../otlp.ts')
    for (let i = 0; i < 2; i++) {
      const metrics = new FreshRegistry()
      metrics.counter('x_total').inc()
      await using exporter = new FreshExporter(metrics)
      await exporter.export()
      expect(exporter.stats()).toMatchObject({ exports: 1 })
    }
    expect(warn.mock.calls.map(([text]) => String(text).split(' ')[1])).toEqual([
      'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT',
      'OTEL_EXPORTER_OTLP_HEADERS',
      'OTEL_METRIC_EXPORT_INTERVAL',
      'OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE',
      'OTEL_EXPORTER_OTLP_PROTOCOL',
      'OTEL_EXPORTER_OTLP_COMPRESSION',
      'OTEL_RESOURCE_ATTRIBUTES',
    ])
    expect(JSON.stringify(warn.mock.calls)).not.toContain('secret')
  })

  it('does not wait for a collector that asks for more time than the cap', async () => {
    const url = await collector((_, res, n) =>
      n === 1 ? res.writeHead(503, { 'retry-after': '3600' }).end() : res.writeHead(200).end(),
    )
    const clock = new VirtualClock(0)
    await using exporter = new OtlpMetricExporter(counted(clock), {
      url,
      interval: 1000,
      timeout: 1e9,
    })
    await expect(exporter.export()).rejects.toThrow('The collector answered 503 to the metrics')
    expect(exporter.stats()).toMatchObject({ failures: 1, retries: 0 })
    // The next one goes out when its interval is over.
    await exporter.export()
    expect(exporter.stats()).toMatchObject({ exports: 1, failures: 1 })
  })

  it('does not wait longer than its timeout leaves, whatever the collector asks', async () => {
    const url = await collector((_, res) => res.writeHead(429, { 'retry-after': '20' }).end())
    const clock = new VirtualClock(0)
    await using exporter = new OtlpMetricExporter(counted(clock), { url, timeout: 15_000 })
    await expect(exporter.export()).rejects.toMatchObject({ status: 429 })
    expect(clock.now()).toBe(0)
  })

  it('comes back when the collector asks, by seconds or by date', async () => {
    for (const header of ['2', new Date(Date.now() + 2000).toUTCString()]) {
      let asked = () => {}
      const first = new Promise<void>(resolve => {
        asked = resolve
      })
      const url = await collector((_, res, n) => {
        if (n === 1) res.writeHead(503, { 'retry-after': header }).end(asked)
        else res.writeHead(200).end()
      })
      const clock = new VirtualClock(0)
      await using exporter = new OtlpMetricExporter(counted(clock), { url })
      const exported = exporter.export()
      await first
      while (exporter.stats().retries === 0) await new Promise(resolve => setImmediate(resolve))
      clock.advance(2000)
      await exported
      expect(exporter.stats()).toMatchObject({ exports: 1, retries: 1 })
    }
  })

  it('ends with its timeout where the collector never answers', async () => {
    let asked = () => {}
    const first = new Promise<void>(resolve => {
      asked = resolve
    })
    const url = await collector(() => asked())
    const clock = new VirtualClock(0)
    const exporter = new OtlpMetricExporter(counted(clock), {
      url,
      timeout: 5000,
      interval: 60_000,
    })
    const exported = exporter.export()
    const failure = expect(exported).rejects.toMatchObject({ code: 'ERR_MILLRACE_METRICS_EXPORT' })
    await first
    clock.advance(5000)
    await failure
    expect(exporter.stats()).toMatchObject({ failures: 1, retries: 0 })
    for (const close of closing.splice(0)) close()
    await exporter.close()
  })

  it.each(['protobuf', 'json'] as const)(
    'reports rejected points and warnings, in %s',
    async encoding => {
      const partials = [
        { rejectedDataPoints: 1, errorMessage: 'too old' },
        { rejectedDataPoints: 0, errorMessage: 'use gzip' },
        {},
      ]
      const url = await collector((_, res, n) => {
        const partialSuccess = partials[n - 1]
        const message = response.fromObject({ partialSuccess })
        res
          .writeHead(200)
          .end(
            encoding === 'json'
              ? JSON.stringify({ partialSuccess })
              : response.encode(message).finish(),
          )
      })
      const told: PartialSuccess[] = []
      const exporter = new OtlpMetricExporter(counted(), {
        url,
        protocol: `http/${encoding}`,
        onPartialSuccess: partial => told.push(partial),
      })
      for (const _ of partials) await exporter.export()
      expect(told).toEqual([
        { rejected: 1, message: 'too old' },
        { rejected: 0, message: 'use gzip' },
      ])
      expect(exporter.stats()).toMatchObject({ exports: 3, pointsSent: 2, pointsRejected: 1 })
      for (const close of closing.splice(0)) close()
      await exporter.close()
    },
  )

  it.each([
    ['gzip', gzipSync],
    ['X-GZIP', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['identity', (body: Uint8Array) => body],
  ] as const)('reads an answer that came compressed unasked (%s)', async (encoding, compress) => {
    const partialSuccess = { rejectedDataPoints: 1, errorMessage: 'too old' }
    const body = response.encode(response.fromObject({ partialSuccess })).finish()
    const url = await collector((_, res) =>
      res.writeHead(200, { 'content-encoding': encoding }).end(compress(body)),
    )
    const told: PartialSuccess[] = []
    await using exporter = new OtlpMetricExporter(counted(), {
      url,
      onPartialSuccess: partial => told.push(partial),
    })
    await exporter.export()
    expect(told).toEqual([{ rejected: 1, message: 'too old' }])
  })

  it.each([
    ['gzip', Buffer.from('no gzip')],
    ['zstd', Buffer.from('unknown')],
    ['gzip', gzipSync(Buffer.alloc(64 * 2 ** 20))],
    ['gzip', gzipSync('{}').subarray(0, 12)],
  ])(
    'takes the status for the answer where it cannot read the body (%s)',
    async (encoding, body) => {
      const url = await collector((_, res) =>
        res.writeHead(200, { 'content-encoding': encoding }).end(body),
      )
      const told: PartialSuccess[] = []
      await using exporter = new OtlpMetricExporter(counted(), {
        url,
        onPartialSuccess: partial => told.push(partial),
      })
      await exporter.export()
      expect([told, exporter.stats()]).toMatchObject([
        [],
        { exports: 1, failures: 0, pointsSent: 1 },
      ])
    },
  )

  it('reads an answer in the encoding that it names, whatever was sent', async () => {
    const partialSuccess = { rejectedDataPoints: 1, errorMessage: 'from the gateway' }
    const url = await collector((_, res) =>
      res
        .writeHead(200, { 'content-type': 'application/json; charset=utf-8' })
        .end(JSON.stringify({ partialSuccess })),
    )
    const told: PartialSuccess[] = []
    await using exporter = new OtlpMetricExporter(counted(), {
      url,
      onPartialSuccess: partial => told.push(partial),
    })
    await exporter.export()
    expect(told).toEqual([{ rejected: 1, message: 'from the gateway' }])
  })

  it.each([301, 302, 307, 308])('follows no redirect, with its headers (%d)', async status => {
    let other = 0
    const elsewhere = await collector((_, res) => {
      other++
      res.end()
    })
    const url = await collector((_, res) => res.writeHead(status, { location: elsewhere }).end())
    await using exporter = new OtlpMetricExporter(counted(), {
      url,
      headers: { authorization: 'key' },
    })
    await expect(exporter.export()).rejects.toMatchObject({ status })
    expect([other, exporter.stats().retries]).toEqual([0, 0])
  })

  it.each(['-1', '1e3', '0x10', '', ' ', '5, 7', 'tomorrow', 'NaN', 'Mon, 99 Foo 2026'])(
    'comes back by itself where it cannot read when (Retry-After: %j)',
    async header => {
      const url = await collector((_, res, n) =>
        n === 1 ? res.writeHead(503, { 'retry-after': header }).end() : res.writeHead(200).end(),
      )
      const clock = new VirtualClock(0)
      await using exporter = new OtlpMetricExporter(counted(clock), { url })
      const exported = exporter.export()
      while (exporter.stats().retries === 0) await new Promise(resolve => setImmediate(resolve))
      // The longest that the first wait takes by itself.
      clock.advance(1000)
      await exported
      expect(exporter.stats()).toMatchObject({ exports: 1, retries: 1 })
    },
  )

  it.each(['9'.repeat(400), '31', '4294967297'])(
    'fails at once where it is asked to wait beyond the cap (Retry-After: %s)',
    async header => {
      const url = await collector((_, res) => res.writeHead(429, { 'retry-after': header }).end())
      const clock = new VirtualClock(0)
      await using exporter = new OtlpMetricExporter(counted(clock), { url, timeout: 1e9 })
      await expect(exporter.export()).rejects.toMatchObject({ status: 429 })
      expect([clock.now(), exporter.stats().retries]).toEqual([0, 0])
    },
  )

  it('ends all exports with the timeout of each, where a silent collector holds the first', async () => {
    const asked: number[] = []
    const clock = new VirtualClock(0)
    const url = await collector(() => asked.push(clock.now()))
    const exporter = new OtlpMetricExporter(counted(clock), {
      url,
      timeout: 5000,
      interval: 60_000,
    })
    const ended: [number, string][] = []
    const begin = () =>
      exporter.export().catch((error: Error) => ended.push([clock.now(), error.message]))
    const exports = [begin(), begin(), begin()]
    while (asked.length === 0) await new Promise(resolve => setImmediate(resolve))
    clock.advance(4000)
    const last = begin()
    clock.advance(1000)
    await Promise.all(exports)
    // Now it is the turn of the last one, which has used a fifth of its time by waiting for it.
    while (asked.length === 1) await new Promise(resolve => setImmediate(resolve))
    clock.advance(4000)
    await last
    expect(asked).toEqual([0, 5000])
    expect(ended.map(([time]) => time)).toEqual([5000, 5000, 5000, 9000])
    expect(ended.map(([, message]) => message)).toContain('The export took longer than 5000 ms')
    expect(exporter.stats()).toMatchObject({ exports: 0, failures: 4, retries: 0 })
    for (const close of closing.splice(0)) close()
    await exporter.close()
  })

  it('exports one at a time, however many are asked for at once', async () => {
    const answers: (() => void)[] = []
    const url = await collector((_, res) => answers.push(() => res.end()))
    const exporter = new OtlpMetricExporter(counted(), { url })
    let over = false
    const exported = Promise.all(Array.from({ length: 5 }, () => exporter.export())).then(
      () => (over = true),
    )
    let most = 0
    for (let turns = 0; !over; turns++) {
      await new Promise(resolve => setImmediate(resolve))
      most = Math.max(most, answers.length)
      // A while later, in which another one would have come.
      if (turns % 50 === 0) for (const answer of answers.splice(0)) answer()
    }
    await exported
    expect([most, exporter.stats().exports]).toEqual([1, 5])
    for (const close of closing.splice(0)) close()
    await exporter.close()
  })

  it('closes within its timeout, with an export under way that a silent collector holds', async () => {
    let asked = 0
    const url = await collector(() => asked++)
    const clock = new VirtualClock(0)
    const exporter = new OtlpMetricExporter(counted(clock), { url, timeout: 5000 })
    const exported = expect(exporter.export()).rejects.toMatchObject({
      code: 'ERR_MILLRACE_METRICS_EXPORT',
    })
    while (asked === 0) await new Promise(resolve => setImmediate(resolve))
    const closed = exporter.close()
    clock.advance(5000)
    await Promise.all([exported, closed])
    expect([clock.now(), exporter.stats().failures]).toEqual([5000, 2])
  })

  it('shares a registry and an endpoint with another exporter', async () => {
    const kinds: (string | undefined)[] = []
    const url = await collector((req, res) => {
      kinds.push(req.headers['content-type'])
      res.end()
    })
    const metrics = counted()
    const one = new OtlpMetricExporter(metrics, { url, temporality: 'delta' })
    const other = new OtlpMetricExporter(metrics, {
      url,
      temporality: 'delta',
      protocol: 'http/json',
    })
    await Promise.all([one.export(), other.export()])
    // Each keeps its own account of what was sent.
    expect([one.stats().pointsSent, other.stats().pointsSent]).toEqual([1, 1])
    await one.close()
    metrics.counter('x_total').inc()
    await other.close()
    expect(other.stats()).toMatchObject({ exports: 2, pointsSent: 2, failures: 0 })
    expect(kinds.filter(kind => kind === 'application/json')).toHaveLength(2)
  })

  it('says who it is', async () => {
    let agent: string | undefined
    const url = await collector((req, res) => {
      agent = req.headers['user-agent']
      res.end()
    })
    await using exporter = new OtlpMetricExporter(counted(), { url })
    await exporter.export()
    expect(agent).toMatch(/^Millrace-OTLP-Exporter-JavaScript\/\d+\.\d+\.\d+$/)
  })

  it('delivers at the end, also after the registry was closed', async () => {
    let bodies = 0
    const url = await collector((_, res) => {
      bodies++
      res.end()
    })
    const metrics = counted()
    const exporter = new OtlpMetricExporter(metrics, { url })
    metrics.close()
    await exporter.close()
    expect(bodies).toBe(1)
  })

  it('keeps an interval beyond the reach of Node’s timers', async () => {
    const url = await collector((_, res) => res.end())
    const exporter = new OtlpMetricExporter(counted(), { url, interval: 2 ** 31 })
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(exporter.stats().exports).toBe(0)
    await exporter.close()
  })
})
