import { HttpPool, type PoolStats } from '@millrace/http-pool'
import { UpstreamServer } from '@millrace/testkit'

/** One look at the process. */
export interface Sample {
  /** Seconds since the start. */
  readonly at: number
  /** Heap that survives a collection, in MB. */
  readonly heap: number
  readonly rss: number
  readonly requests: number
}

export interface SoakResult {
  readonly samples: readonly Sample[]
  readonly failures: number
  readonly stats: PoolStats
}

const megabyte = 1024 * 1024
const callsPerTick = 10
const tick = 20

/**
 * About 500 calls per second through all features, with answers, errors, resets, time-outs, redirects, large
 * bodies and callers that abort.
 */
export async function soak(
  seconds: number,
  onSample: (sample: Sample) => void,
): Promise<SoakResult> {
  const { gc } = globalThis
  if (gc === undefined) throw new Error('The soak needs node --expose-gc')
  const server = await scriptedServer()
  const pool = new HttpPool({
    connectionsPerHost: 20,
    totalConnections: 20,
    headersTimeout: 50,
    totalTimeout: 5_000,
    retry: { baseDelay: 5, budgetFloor: 1_000, hostTokens: 1e6 },
    breaker: { failureRatio: 0.9 },
    throttle: true,
    hedge: true,
    learnLimits: true,
    coalesce: true,
    decompress: true,
    cache: { maxEntrySize: 10_000 },
  })
  const samples: Sample[] = []
  const pending = new Set<Promise<unknown>>()
  let requests = 0
  let failures = 0
  const start = performance.now()
  const takeSample = (): void => {
    gc()
    const { heapUsed, rss } = process.memoryUsage()
    const at = (performance.now() - start) / 1000
    const sample = { at, heap: heapUsed / megabyte, rss: rss / megabyte, requests }
    samples.push(sample)
    onSample(sample)
  }
  let nextSample = seconds / 10
  while (performance.now() - start < seconds * 1000) {
    for (let i = 0; i < callsPerTick; i++) {
      const call = send(pool, server, requests++).catch(() => failures++)
      pending.add(call)
      call.finally(() => pending.delete(call))
    }
    server.requests.length = 0
    await new Promise(resolve => setTimeout(resolve, tick))
    if ((performance.now() - start) / 1000 < nextSample) continue
    takeSample()
    nextSample += seconds / 10
  }
  await Promise.all(pending)
  const stats = pool.stats()
  await pool.close()
  await server.kill()
  return { samples, failures, stats }
}

async function scriptedServer(): Promise<UpstreamServer> {
  const server = await UpstreamServer.start()
  server.on('/ok', { body: { ok: true } })
  server.on('/cached', { body: { ok: true }, cacheControl: 'max-age=1', etag: 'v' })
  server.on('/large', { body: Buffer.alloc(200_000) })
  server.on('/moved', { status: 302, headers: { location: '/ok' } })
  server.on('/flaky', ({ index }) => (index % 3 === 0 ? 503 : { body: { ok: true } }))
  server.on('/reset', ({ index }) =>
    index % 2 === 0 ? { fault: 'reset' } : { body: { ok: true } },
  )
  server.on('/slow', ({ index }) => ({ body: { ok: true }, latency: index % 2 === 0 ? 200 : 1 }))
  return server
}

const paths = [
  '/ok',
  '/cached',
  '/large',
  '/moved',
  '/flaky',
  '/reset',
  '/slow',
  '/ok?n=',
  '/abort',
]

async function send(pool: HttpPool, server: UpstreamServer, number: number): Promise<void> {
  const path = paths[number % paths.length]!
  if (path === '/abort') {
    const controller = new AbortController()
    setTimeout(() => controller.abort(), number % 7)
    await pool.request(server.url('/slow'), { signal: controller.signal }).catch(() => {})
    return
  }
  const url = server.url(path.endsWith('=') ? path + (number % 5_000) : path)
  const { body } = await pool.request(url)
  if (path === '/large' && number % 2 === 0) body.on('error', () => {}).destroy()
  else await body.text()
}
