import { once } from 'node:events'
import { createServer, request, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { VirtualClock } from '@millrace/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { Dashboard, type DashboardOptions } from '../dashboard.ts'
import { Guard } from '../guard.ts'
import { Registry } from '../index.ts'
import { performanceReport } from '../report.ts'

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

interface Mounted {
  dashboard: Dashboard
  metrics: Registry
  port: number
  server: Server
  responses: ServerResponse[]
}

async function mount(options: Partial<DashboardOptions> = {}): Promise<Mounted> {
  const metrics = options.registry ?? new Registry()
  const dashboard = new Dashboard({ registry: metrics, ...options })
  const handle = dashboard.handler()
  const responses: ServerResponse[] = []
  const server = createServer((req, res) => {
    responses.push(res)
    void handle(req, res)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    dashboard.close()
    server.close()
    server.closeAllConnections()
  })
  return { dashboard, metrics, port: (server.address() as AddressInfo).port, server, responses }
}

describe('what is not its own', () => {
  it('fails no frame: sources of slow spans, and stats, that throw or say nonsense', async () => {
    const boom = () => {
      throw new Error('of the program')
    }
    const warnings: string[] = []
    const listen = ({ message, code }: Error & { code?: string }) => {
      if (code === 'MILLRACE_DASHBOARD_SLOW_SPANS') warnings.push(message)
    }
    process.on('warning', listen)
    const right = { name: 'load', duration: 5, start: 1, traceId: 'a'.repeat(32) }
    const answers: (() => unknown)[] = [
      boom,
      () => null,
      async () => boom(),
      () => [null],
      () => [{ ...right, duration: 5n }, { ...right, toJSON: boom, cause: 5n }, { name: 'x' }],
    ]
    const clock = new VirtualClock()
    let answer = answers[0]!
    const metrics = new Registry({ clock })
    for (const [i, stats] of [
      boom,
      () => null,
      async () => boom(),
      () => ({
        get hits() {
          return boom()
        },
      }),
    ].entries())
      metrics.observe(`bad_${i}`, { stats: stats as never })
    metrics.observe('good', { stats: () => ({ hits: 1, misses: 1, nested: { a: 1 } }) })
    const { dashboard } = await mount({ registry: metrics, slowSpans: () => answer() as never })
    const frame = async () => {
      const request = new Request('http://localhost/snapshot.json')
      const response = await dashboard.fetch(request, { remoteAddress: '127.0.0.1' })
      return ((await response.json()) as { frame: { parts: object[]; slow: object[] } }).frame
    }
    for (const one of answers) {
      answer = one
      clock.advance(10_000)
      const { parts, slow } = await frame()
      expect(parts).toMatchObject([{ name: 'good', hitRatio: 0.5 }])
      expect(slow).toEqual(one === answers[4] ? [{ ...right, error: false }] : [])
    }
    await new Promise(resolve => setImmediate(resolve))
    process.off('warning', listen)
    expect(warnings).toEqual(['The slow spans of a dashboard cannot be read: Error'])
    expect(performanceReport(metrics).parts).toHaveLength(1)
  })
})

interface Got {
  status: number
  headers: Record<string, string | undefined>
  body: Buffer
}

async function get(port: number, path: string, headers = {}, method = 'GET'): Promise<Got> {
  const req = request({ host: '127.0.0.1', port, path, method, headers }).end()
  const [response] = await once(req, 'response')
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }
}

/** The events of a stream, by a client that reads. */
async function* eventsOf(
  port: number,
  path = '/events',
): AsyncGenerator<{ event: string; data: unknown }> {
  const req = request({ host: '127.0.0.1', port, path }).end()
  const [response] = await once(req, 'response')
  let text = ''
  try {
    for await (const chunk of response) {
      text += chunk
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const fields = new Map(
          text
            .slice(0, end)
            .split('\n')
            .map(line => line.split(/: (.*)/s) as [string, string]),
        )
        text = text.slice(end + 2)
        const data = fields.get('data')
        if (data) yield { event: fields.get('event')!, data: JSON.parse(data) }
      }
    }
  } finally {
    req.destroy()
  }
}

describe('access', () => {
  it('is for this machine alone, by its own name and without a proxy', async () => {
    const { port } = await mount()
    for (const path of ['/', '/app.js', '/events', '/snapshot.json']) {
      for (const headers of [
        { host: 'evil.example' },
        { 'x-forwarded-for': '10.0.0.1' },
        { forwarded: 'for=10.0.0.1' },
        { via: '1.1 proxy' },
        { 'x-real-ip': '10.0.0.1' },
      ]) {
        const { status, body } = await get(port, path, headers)
        expect([status, body.length], path).toEqual([404, 0])
      }
    }
    expect((await get(port, '/', { host: 'localhost:80' })).status).toBe(200)
  })

  it('is refused to a stranger by address', async () => {
    const { dashboard } = await mount()
    const page = (remoteAddress?: string) =>
      dashboard.fetch(new Request('http://localhost/'), { ...(remoteAddress && { remoteAddress }) })
    expect((await page('192.168.1.7')).status).toBe(404)
    expect((await page('2001:db8::1')).status).toBe(404)
    expect((await page()).status).toBe(404)
    expect((await page('::ffff:127.0.0.1')).status).toBe(200)
    expect((await page('::1')).status).toBe(200)
  })

  it('is what authorize says, for every path, and nobody’s when that fails', async () => {
    let answer: () => unknown = () => true
    const { port } = await mount({ authorize: () => answer() as boolean })
    expect((await get(port, '/', { host: 'evil.example' })).status).toBe(200)
    for (const refuse of [
      () => false,
      async () => false,
      () => 'yes',
      () => {
        throw new Error('no')
      },
    ]) {
      answer = refuse
      for (const path of ['/', '/style.css', '/events', '/snapshot.json']) {
        expect((await get(port, path)).status, path).toBe(404)
      }
    }
  })
})

describe('the handler', () => {
  it('serves page and files under a strict policy, small and with validators', async () => {
    const { port } = await mount()
    let total = 0
    const scripts = ['/format.js', '/mark-labels.js', '/charts.js', '/app.js']
    for (const path of ['/', ...scripts, '/style.css', '/uplot.js', '/uplot.css']) {
      const { status, headers, body } = await get(port, path)
      expect(status).toBe(200)
      expect(headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'")
      expect(headers['x-content-type-options']).toBe('nosniff')
      const zipped = await get(port, path, { 'accept-encoding': 'gzip' })
      expect(zipped.headers['content-encoding']).toBe('gzip')
      total += zipped.body.length
      expect(gunzipSync(zipped.body).equals(body)).toBe(true)
      expect((await get(port, path, { 'if-none-match': headers.etag })).status).toBe(304)
    }
    expect(total).toBeLessThan(40_000)
    const { body } = await get(port, '/')
    expect(body.toString()).not.toMatch(/<script>|style=|\son\w+=|https?:/)
  })

  it('mounts under a path, redirects to it relatively, and leaves other paths alone', async () => {
    const { port, dashboard } = await mount({ basePath: '/ops/dash' })
    expect((await get(port, '/ops/dash')).headers.location).toBe('./dash/')
    expect((await get(port, '/ops/dash/?x=1')).status).toBe(200)
    expect((await get(port, '/ops/dash/../../etc/passwd')).status).toBe(404)
    expect((await get(port, '/ops/dashboard')).status).toBe(404)
    let passed = 0
    const req = { url: '/other', method: 'GET', headers: {}, socket: {} }
    await dashboard.handler()(req as never, {} as never, () => passed++)
    expect(passed).toBe(1)
    expect((await get(port, '/ops/dash/', {}, 'POST')).status).toBe(405)
  })

  it('refuses options out of bounds', () => {
    const registry = new Registry()
    expect(() => new Dashboard({ registry, basePath: 'dash/' })).toThrow(
      'Expected `basePath` to be a path like /dashboard, got a string of length 5',
    )
    expect(() => new Dashboard({ registry, maxClients: 0 })).toThrow('Expected `maxClients`')
    expect(() => new Dashboard({ registry, interval: 5 })).toThrow('Expected `interval`')
    expect(() => new Dashboard({ registry, operation: 7 as never })).toThrow('Expected `operation`')
  })
})

describe('the stream', () => {
  it('begins with a snapshot and goes on with frames of what is measured', async () => {
    const clock = new VirtualClock(1_000_000)
    const registry = new Registry({ clock })
    const timing = registry.timing('load_seconds')
    registry.gauge('heat').set(5)
    const guard = new Guard(registry, {
      clock,
      rules: [{ name: 'Hot', type: 'threshold', metric: 'heat', above: 1, for: 0 }],
    })
    registry.observe('users', { stats: () => ({ hits: 3, misses: 1, entries: 4 }) })
    const slow = { name: 'GET /x', duration: 1234, start: 5, traceId: 'abc', error: true }
    const { port } = await mount({ registry, clock, guard, slowSpans: () => [slow] })
    const events = eventsOf(port)
    const { value: first } = await events.next()
    expect(first).toMatchObject({
      event: 'snapshot',
      data: {
        frame: {
          sequence: 0,
          verdict: { level: 'bad', text: 'Tripped: Hot (heat 5, above its limit of 1)' },
          parts: [{ name: 'users', kind: 'cache', hitRatio: 0.75 }],
          alerts: [{ name: 'Hot', text: 'heat 5, above its limit of 1', state: 'tripped' }],
          slow: [slow],
        },
        history: { time: [1000] },
      },
    })
    for (let i = 0; i < 10; i++) timing.record(20, i === 0)
    clock.advance(1000)
    const { value: second } = await events.next()
    expect(second).toMatchObject({
      event: 'frame',
      data: { sequence: 1, calls: 10, failures: 1, timings: [{ name: 'load_seconds', count: 10 }] },
    })
    await events.return(undefined)
  })

  it('is about one operation where that is named', async () => {
    const clock = new VirtualClock(1_000_000)
    const registry = new Registry({ clock })
    const { port } = await mount({ registry, clock, operation: 'request_seconds' })
    const requests = registry.timing('request_seconds', { labels: ['route'] })
    const evictions = registry.timing('evict_seconds')
    const events = eventsOf(port)
    expect(await events.next()).toMatchObject({ value: { data: { operation: 'request_seconds' } } })
    const frame = async () => {
      clock.advance(1000)
      return (await events.next()).value
    }
    for (let i = 0; i < 10; i++) evictions.record(1)
    expect(await frame()).toMatchObject({ data: { calls: 0, point: { busiest: null } } })
    requests.record({ route: 'a' }, 30)
    for (let i = 0; i < 2; i++) requests.record({ route: 'b' }, 30)
    expect(await frame()).toMatchObject({
      data: {
        calls: 3,
        timings: [{ name: 'evict_seconds' }, { labels: { route: 'b' } }, {}],
        point: { busiest: 'request_seconds route=b' },
      },
    })
    await events.return(undefined)
  })

  it('goes on forward when the clock is set back, and names the busiest operation', async () => {
    const clock = new VirtualClock(1_000_000)
    const wallClock = { now: () => wall }
    let wall = 7_200_000
    const registry = new Registry({ clock, wallClock })
    const { port } = await mount({ registry, clock })
    registry.timing('rare_seconds').record(1)
    const busy = registry.timing('process.orders', { labels: ['kind'] })
    for (let i = 0; i < 10; i++) busy.record({ kind: 'a' }, 5)
    // What the runtime does by itself is no operation.
    for (let i = 0; i < 99; i++) registry.histogram('nodejs_gc_duration_seconds').observe(0.001)
    const events = eventsOf(port)
    await events.next()
    const points: { elapsed: number; time: number; busiest: string }[] = []
    for (let i = 0; i < 3; i++) {
      wall += i === 1 ? -3_600_000 : 1000
      clock.advance(1000)
      const { data } = (await events.next()).value as { data: { point: (typeof points)[0] } }
      points.push(data.point)
    }
    expect(points.map(({ elapsed }) => elapsed - points[0]!.elapsed)).toEqual([0, 1, 2])
    expect(points.map(({ time }) => time)).toEqual([7201, 3601, 3602])
    expect(points.at(-1)!.busiest).toBe('process.orders kind=a')
    const { frame } = JSON.parse((await get(port, '/snapshot.json')).body.toString())
    expect(frame.timings.map(({ name }: { name: string }) => name)).not.toContain(
      'nodejs_gc_duration_seconds',
    )
    await events.return(undefined)
  })

  it('draws no rate, share or duration while the process starts', async () => {
    const clock = new VirtualClock(1_000_000)
    const registry = new Registry({ clock })
    const timing = registry.timing('load_seconds')
    const { port } = await mount({ registry, clock })
    const events = eventsOf(port)
    await events.next()
    const points: Record<string, number | null>[] = []
    for (let second = 0; second < 8; second++) {
      timing.record(second < 5 ? 5000 : 5)
      clock.advance(1000)
      const { data } = (await events.next()).value as { data: { point: (typeof points)[0] } }
      points.push(data.point)
    }
    for (const line of ['utilization', 'delayP99', 'calls', 'failures', 'p50', 'p99']) {
      const drawn = points.map(point => point[line] !== null)
      // The sixth frame is the first that began when the five seconds were over.
      expect(drawn, line).toEqual([false, false, false, false, false, true, true, true])
    }
    expect(points[0]!.rss).toBeGreaterThan(0)
    await events.return(undefined)
  })

  it('samples the delay of the event loop while somebody looks, and only then', async () => {
    const clock = new VirtualClock(1_000_000)
    const { port, dashboard } = await mount({ registry: new Registry({ clock }), clock })
    const delays = async () =>
      JSON.parse((await get(port, '/snapshot.json')).body.toString()).history.delayP99
    clock.advance(10_000)
    const events = eventsOf(port)
    await events.next()
    clock.advance(7_000)
    await events.next()
    const seen = await delays()
    expect(seen.slice(0, 2)).toEqual([null, null])
    expect(seen.at(-1)).toBeGreaterThanOrEqual(0)
    await events.return(undefined)
    while (dashboard.stats().clients > 0) await new Promise(resolve => setImmediate(resolve))
    // The frame that is due is the last one that is taken at the rhythm of those who look.
    clock.advance(1_000)
    clock.advance(10_000)
    expect((await delays()).at(-1)).toBeNull()
  })

  it('keeps little for a client that does not read, and lets it go', async () => {
    const clock = new VirtualClock(1_000_000)
    const registry = new Registry({ clock })
    for (let i = 0; i < 300; i++) {
      registry.observe(`part_${i}`, { stats: () => ({ hits: 1, misses: 1, entries: i }) })
    }
    const { port, dashboard, responses } = await mount({ registry, clock, history: 10 })
    const stalled = connect(port, '127.0.0.1')
    stalled.pause()
    stalled.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n')
    while (dashboard.stats().clients < 1) await new Promise(resolve => setImmediate(resolve))
    const closed = once(responses[0]!, 'close')
    let most = 0
    // 28 s: as long as it is patient. Kernel buffers take the first megabytes.
    for (let second = 0; second < 28 && dashboard.stats().dropped < 15; second++) {
      clock.advance(1000)
      await new Promise(resolve => setImmediate(resolve))
      most = Math.max(most, responses[0]!.writableLength)
    }
    const { frameBytes } = dashboard.stats()
    expect(frameBytes).toBeGreaterThan(20_000)
    expect(most).toBeLessThanOrEqual(2 * frameBytes + 65_536)
    for (let second = 0; second < 6000 && dashboard.stats().clients > 0; second++) {
      clock.advance(1000)
      await new Promise(resolve => setImmediate(resolve))
    }
    await closed
    expect(dashboard.stats()).toMatchObject({ clients: 0 })
    expect(dashboard.stats().dropped).toBeGreaterThan(20)
    stalled.destroy()
  })

  it('sends a snapshot to a Web client that was slow, instead of what it missed', async () => {
    const clock = new VirtualClock(1_000_000)
    const registry = new Registry({ clock })
    for (let i = 0; i < 600; i++) registry.observe(`part_${i}`, { stats: () => ({ size: i }) })
    const { dashboard } = await mount({ registry, clock, authorize: () => true, history: 10 })
    const response = await dashboard.fetch(new Request('http://any/events'))
    const reader = response.body!.getReader()
    for (let second = 0; second < 20; second++) clock.advance(1000)
    const { dropped } = dashboard.stats()
    expect(dropped).toBeGreaterThan(10)
    let sequences: number[] = []
    for (let i = 0; i < 20 && !sequences.includes(20); i++) {
      const { value } = await reader.read()
      const text = Buffer.from(value!).toString()
      sequences = sequences.concat([...text.matchAll(/^id: (\d+)/gm)].map(m => Number(m[1])))
    }
    expect(sequences.at(-1)).toBe(20)
    expect(sequences.length).toBeLessThan(10)
    await reader.cancel()
    expect(dashboard.stats().clients).toBe(0)
  })

  it('takes no more clients than it may, and ends them all when closed', async () => {
    const { port, dashboard, server } = await mount({ maxClients: 2 })
    const streams = [eventsOf(port), eventsOf(port)]
    for (const stream of streams) await stream.next()
    const refused = await get(port, '/events')
    expect(refused.status).toBe(503)
    expect(refused.headers['retry-after']).toBe('10')
    const closed = once(server, 'close')
    dashboard.close()
    server.close()
    // To their end, and not cut off: a page takes that for a network that broke.
    for (const stream of streams) {
      let last = await stream.next()
      while (last.done !== true) last = await stream.next()
    }
    server.closeIdleConnections()
    await closed
  })
})
