import { channel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TieredCache } from '@millrace/cache-core/tiered'
import { FileTable, ParseCache } from '@millrace/cache-files'
import { RedisStore } from '@millrace/cache-redis'
import { HttpPool } from '@millrace/http-pool'
import { RateLimitedError, TokenBucket } from '@millrace/rate-limit'
import { RedisServer, VirtualClock } from '@millrace/testkit'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type FinishedSpan, MemoryExporter } from '../export/memory-exporter.ts'
import { SpanKind, StatusCode } from '../span/api/span.ts'
import { Tracer } from '../tracer/tracer.ts'
import { type Instrumentation, instrument } from './instrument.ts'

/** How long Redis is waited for, in ms: no machine stands still for as long. */
const PATIENCE = 60_000

let redis: RedisServer
let server: Server
let origin: string
let exporter: MemoryExporter
let tracer: Tracer
let instrumentation: Instrumentation

beforeAll(async () => {
  redis = await RedisServer.start()
  let requests = 0
  server = createServer((incoming, response) => {
    // The first answer is a failure, so that there is a second attempt to see.
    response.statusCode = requests++ === 0 ? 503 : 200
    response.end(JSON.stringify(incoming.headers.traceparent))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await redis.stop()
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

/** Each span behind its ancestors, in alphabetical order. */
async function paths(): Promise<string[]> {
  await tracer.flush()
  const byId = new Map(exporter.spans.map(span => [span.spanId, span]))
  const path = (span: FinishedSpan): string => {
    const parent = byId.get(span.parentSpanId ?? '')
    return `${parent === undefined ? '' : `${path(parent)} > `}${span.name}`
  }
  return exporter.spans.map(path).sort()
}

const named = (name: string): FinishedSpan[] => exporter.spans.filter(span => span.name === name)

/** Lets virtual time pass whenever somebody begins to wait for a permit. */
function grantPermits(clock: VirtualClock): Disposable {
  const waits = channel('millrace:limit:wait:start')
  const advance = (): void => void setImmediate(() => clock.advance(1_000))
  waits.subscribe(advance)
  return { [Symbol.dispose]: () => void waits.unsubscribe(advance) }
}

test('a load through all packages is one trace, each step the child of what asked for it', async () => {
  const { url } = redis
  await using store = new RedisStore<string>({ url, prefix: 'users', timeout: PATIENCE })
  const users = new TieredCache<string>({ store, ttl: 60_000, storeTimeout: PATIENCE })
  const clock = new VirtualClock()
  using _ = grantPermits(clock)
  const limiter = new TokenBucket({ rate: 1, burst: 1, name: 'upstream', clock })
  await using pool = new HttpPool({ limiter, retry: { baseDelay: 1 } })

  const load = () =>
    users.getOrLoad('user:secret', () => pool.json<string>(`${origin}/users?token=secret`))
  const traceparent = await tracer.span('root', load)

  const request = 'root > cache.load > http.request GET'
  // Which commands an operation of the store takes is the store's business.
  const isCommand = (path: string) => /redis\.\w+ > /.test(path)
  const steps = async () => (await paths()).filter(path => !isCommand(path))
  // The server's end of an answer, and the write that no answer waits for, may end after the load.
  await expect
    .poll(steps)
    .toEqual([
      'root',
      'root > cache.load',
      request,
      `${request} > http.attempt GET`,
      `${request} > http.attempt GET`,
      `${request} > http.attempt GET > GET`,
      `${request} > http.attempt GET > GET`,
      `${request} > http.attempt GET > GET > GET`,
      `${request} > http.attempt GET > GET > GET`,
      `${request} > http.attempt GET > limit.wait`,
      'root > cache.load > redis.lookup',
      'root > cache.load > redis.setMany',
    ])
  const tree = await paths()
  for (const operation of ['lookup', 'setMany']) {
    const commands = tree.filter(path =>
      path.startsWith(`root > cache.load > redis.${operation} > `),
    )
    expect(commands.length, operation).toBeGreaterThan(0)
  }
  const [root] = named('root')
  expect(new Set(exporter.spans.map(span => span.traceId))).toEqual(new Set([root!.traceId]))
  expect(traceparent).toContain(root!.traceId)
  expect(named('http.request GET')[0]!.attributes).toMatchObject({
    'http.response.status_code': 200,
    'millrace.http.attempts': 2,
  })
  expect(named('http.attempt GET').map(span => span.attributes['millrace.http.reason'])).toEqual([
    'first',
    'retry',
  ])
  expect(named('limit.wait')[0]!.attributes).toMatchObject({ 'millrace.limit.name': 'upstream' })
  expect(JSON.stringify(exporter.spans)).not.toContain('secret')

  // What the first tier holds is no operation, and makes no span.
  exporter.spans.length = 0
  await tracer.span('again', load)
  await expect.poll(paths).toEqual(['again'])
})

test('refusals of a limiter are events of the span that was refused', async () => {
  const bucket = new TokenBucket({ rate: 0.1, burst: 1, name: 'narrow', clock: new VirtualClock() })
  bucket.tryAcquire()
  await tracer.span('caller', async () => {
    await expect(bucket.acquire(1, { timeout: 10 })).rejects.toThrow(RateLimitedError)
  })
  await paths()
  expect(named('caller')[0]!.events).toMatchObject([
    {
      name: 'limit.refuse',
      attributes: {
        'millrace.limit.name': 'narrow',
        'millrace.limit.retry_after': 10_000,
        'error.type': 'ERR_MILLRACE_RATE_LIMITED',
      },
    },
  ])
})

test('parses of files are spans without their paths, and fail with their parser', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-tracer-'))
  try {
    const files = new FileTable({ root: folder })
    const parsed = new ParseCache({ files, id: 'json@1', parse: text => JSON.parse(text) })
    await writeFile(join(folder, 'good.json'), '[1]')
    await writeFile(join(folder, 'bad.json'), '[1')
    await tracer.span('build', async () => {
      await parsed.get('good.json')
      await expect(parsed.get('bad.json')).rejects.toThrow()
    })
    // Results of a parser are held by a cache of cache-core, which loads them.
    expect(await paths()).toEqual([
      'build',
      'build > cache.load',
      'build > cache.load',
      'build > cache.load > files.parse',
      'build > cache.load > files.parse',
    ])
    expect(named('files.parse').map(span => span.status.code)).toEqual([
      StatusCode.UNSET,
      StatusCode.ERROR,
    ])
    expect(named('files.parse')[0]!.attributes).toEqual({
      'millrace.files.parser': 'json@1',
      'millrace.files.bytes': 3,
    })
    expect(exporter.spans.every(span => !JSON.stringify(span.attributes).includes('.json'))).toBe(
      true,
    )
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('an outgoing call may be one span, whatever it takes', async () => {
  instrumentation.close()
  instrumentation = instrument(tracer, { outgoing: 'single', httpServer: false })
  let requests = 0
  const seen: string[] = []
  const flaky = createServer((incoming, response) => {
    seen.push(String(incoming.headers.traceparent))
    response.statusCode = requests++ === 0 ? 503 : 200
    response.end('"fine"')
  }).listen(0, '127.0.0.1')
  await once(flaky, 'listening')
  const { port } = flaky.address() as AddressInfo
  const clock = new VirtualClock()
  using _ = grantPermits(clock)
  const limiter = new TokenBucket({ rate: 1, burst: 1, name: 'upstream', clock })
  await using pool = new HttpPool({ limiter, retry: { baseDelay: 1 } })
  await tracer.span('root', async () => {
    await pool.json(`http://127.0.0.1:${port}/users/1?token=secret`)
    // What is no part of a call of the pool is a span as before.
    await (await fetch(`http://127.0.0.1:${port}/other`)).text()
  })
  await limiter.acquire()
  flaky.closeAllConnections()
  flaky.close()
  await expect.poll(paths).toEqual(['root', 'root > GET', 'root > GET'])
  const [call, other] = named('GET')
  expect(call).toMatchObject({
    kind: SpanKind.CLIENT,
    attributes: {
      'http.request.method': 'GET',
      'http.request.resend_count': 1,
      'http.response.status_code': 200,
      'server.address': '127.0.0.1',
      'server.port': port,
      'url.full': `http://127.0.0.1:${port}/users/1`,
    },
  })
  const ids = seen.map(traceparent => traceparent.split('-')[2])
  expect(ids).toEqual([call!.spanId, call!.spanId, other!.spanId])
})
