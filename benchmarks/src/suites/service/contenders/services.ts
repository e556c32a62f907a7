import type { RequestListener } from 'node:http'
import { type Service, type StartService, user, userOf } from '../load/measure.ts'

const ENTRIES = 1_000
const TTL = 60_000
/** Requests a second of one user that the limit lets through: more than are sent. */
const RATE = 100_000
const BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1]
const JSON_TYPE = { 'content-type': 'application/json' }

/** The slow source behind the cache. */
async function load(id: string): Promise<string> {
  return user(id)
}

async function ours(collector: string): Promise<Service> {
  const [{ Cache }, { Registry }, { KeyedLimiter }, { Tracer }, { OtlpTraceExporter }] =
    await Promise.all([
      import('@millrace/cache-core'),
      import('@millrace/perf-metrics'),
      import('@millrace/rate-limit'),
      import('@millrace/tracer'),
      import('@millrace/tracer/otlp'),
    ])
  const users = new Cache<string, string>({ maxEntries: ENTRIES, ttl: TTL })
  const registry = new Registry()
  const labels = ['method', 'route', 'status'] as const
  const requests = registry.counter('http_requests_total', { labels })
  const seconds = registry.histogram('http_request_seconds', {
    labels: ['route'],
    buckets: BUCKETS,
  })
  const answers = registry.counter('cache_answers_total', { labels: ['cache', 'answer'] })
  const limiter = new KeyedLimiter({ rate: RATE, burst: RATE })
  const tracer = new Tracer({
    service: 'bench',
    exporter: new OtlpTraceExporter({ url: `${collector}/v1/traces` }),
    signals: [],
  })
  const listener: RequestListener = async (request, response) => {
    const begin = performance.now()
    const id = userOf(request.url)
    const span = tracer.startSpan('GET /users/:id')
    span.setAttribute('http.request.method', 'GET')
    span.setAttribute('url.path', request.url ?? '')
    span.setAttribute('http.route', '/users/:id')
    span.setAttribute('user.id', id)
    const allowed = limiter.tryAcquire(id)
    const status = allowed ? 200 : 429
    if (allowed) {
      let body = users.get(id)
      answers.inc({ cache: 'users', answer: body === undefined ? 'miss' : 'hit' })
      body ??= await users.getOrLoad(id, () => load(id), { tags: ['users'] })
      response.writeHead(200, JSON_TYPE)
      response.end(body)
    } else {
      response.writeHead(429).end()
    }
    span.setAttribute('http.response.status_code', status)
    span.end()
    requests.inc({ method: 'GET', route: '/users/:id', status })
    seconds.observe({ route: '/users/:id' }, (performance.now() - begin) / 1_000)
  }
  return {
    listener,
    counted: async () => sumOf(registry.toPrometheus()),
    hitRatio: () => ratio(registry.toPrometheus()),
    flush: () => tracer.flush(),
    async close() {
      await tracer.close()
      limiter.close()
    },
  }
}

/** The cache of a peer's service. */
interface PeerCache {
  /** The value if it is there at once, without a load. */
  get(id: string): Promise<string | undefined> | string | undefined
  getOrLoad(id: string): Promise<string>
  close(): Promise<void>
}

/** The same service on the cache given, @prometheus-io/client, rate-limiter-flexible and OpenTelemetry. */
function peer(makeCache: () => Promise<PeerCache>): StartService {
  return async collector => {
    const [prometheus, { RateLimiterMemory }, otel] = await Promise.all([
      import('@prometheus-io/client'),
      import('rate-limiter-flexible'),
      openTelemetry(collector),
    ])
    const users = await makeCache()
    const registry = new prometheus.Registry()
    const registers = [registry]
    const requests = new prometheus.Counter({
      name: 'http_requests_total',
      help: 'requests',
      labelNames: ['method', 'route', 'status'],
      registers,
    })
    const seconds = new prometheus.Histogram({
      name: 'http_request_seconds',
      help: 'seconds',
      labelNames: ['route'],
      buckets: BUCKETS,
      registers,
    })
    const answers = new prometheus.Counter({
      name: 'cache_answers_total',
      help: 'answers',
      labelNames: ['cache', 'answer'],
      registers,
    })
    const limiter = new RateLimiterMemory({ points: RATE, duration: 1 })
    const { tracer } = otel
    const listener: RequestListener = async (request, response) => {
      const begin = performance.now()
      const id = userOf(request.url)
      const span = tracer.startSpan('GET /users/:id')
      span.setAttribute('http.request.method', 'GET')
      span.setAttribute('url.path', request.url ?? '')
      span.setAttribute('http.route', '/users/:id')
      span.setAttribute('user.id', id)
      let status = 200
      try {
        await limiter.consume(id)
      } catch {
        // It rejects with its state, which is no error, when the limit refuses.
        status = 429
      }
      if (status === 200) {
        let body = await users.get(id)
        answers.inc({ cache: 'users', answer: body === undefined ? 'miss' : 'hit' })
        body ??= await users.getOrLoad(id)
        response.writeHead(200, JSON_TYPE)
        response.end(body)
      } else {
        response.writeHead(429).end()
      }
      span.setAttribute('http.response.status_code', status)
      span.end()
      requests.inc({ method: 'GET', route: '/users/:id', status })
      seconds.observe({ route: '/users/:id' }, (performance.now() - begin) / 1_000)
    }
    let exported = ''
    return {
      listener,
      async counted() {
        exported = await registry.metrics()
        return sumOf(exported)
      },
      hitRatio: () => ratio(exported),
      flush: () => otel.flush(),
      async close() {
        await otel.close()
        await users.close()
      },
    }
  }
}

const lruCache = peer(async () => {
  const { LRUCache } = await import('lru-cache')
  const cache = new LRUCache<string, string>({
    max: ENTRIES,
    ttl: TTL,
    fetchMethod: id => load(id),
  })
  return {
    get: id => cache.get(id),
    getOrLoad: async id => (await cache.fetch(id))!,
    close: async () => cache.clear(),
  }
})

const bentocache = peer(async () => {
  const { BentoCache, bentostore } = await import('bentocache')
  const { memoryDriver } = await import('bentocache/drivers/memory')
  const cache = new BentoCache({
    default: 'memory',
    stores: {
      memory: bentostore().useL1Layer(memoryDriver({ maxItems: ENTRIES, serialize: false })),
    },
  })
  return {
    get: id => cache.get<string>({ key: id }),
    getOrLoad: id =>
      cache.getOrSet({ key: id, ttl: TTL, tags: ['users'], factory: () => load(id) }),
    close: () => cache.disconnectAll(),
  }
})

interface PeerTracer {
  readonly tracer: import('@opentelemetry/api').Tracer
  flush(): Promise<void>
  close(): Promise<void>
}

async function openTelemetry(collector: string): Promise<PeerTracer> {
  const [sdk, { OTLPTraceExporter }, { resourceFromAttributes }] = await Promise.all([
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-proto'),
    import('@opentelemetry/resources'),
  ])
  const provider = new sdk.TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'bench' }),
    spanProcessors: [
      new sdk.BatchSpanProcessor({
        // Beyond its default of 30 it drops spans, which no contender may.
        exporter: new OTLPTraceExporter({ url: `${collector}/v1/traces`, concurrencyLimit: 1_000 }),
        maxQueueSize: 1_000_000,
      } as never),
    ],
  })
  return {
    tracer: provider.getTracer('bench'),
    flush: () => provider.forceFlush(),
    close: () => provider.shutdown(),
  }
}

/** Requests by the metrics that a service exports. */
function sumOf(exposition: string): number {
  return sumOfSeries(exposition, /^http_requests_total\{.*\} (\d+)/gm)
}

function ratio(exposition: string): number {
  const hits = sumOfSeries(exposition, /^cache_answers_total\{.*answer="hit".*\} (\d+)/gm)
  return hits / sumOfSeries(exposition, /^cache_answers_total\{.*\} (\d+)/gm)
}

function sumOfSeries(exposition: string, series: RegExp): number {
  let sum = 0
  for (const [, value] of exposition.matchAll(series)) sum += Number(value)
  return sum
}

export const services = { ours, lruCache, bentocache } satisfies Record<string, StartService>
