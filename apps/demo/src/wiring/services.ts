import { HttpPool } from '@millrace/http-pool'
import { TokenBucket } from '@millrace/rate-limit'
import { inject } from '@millrace/tracer'
import { SourceCaches } from '../analyse/source-caches.ts'
import { RegistryClient } from '../registry/registry-client.ts'
import type { Storage } from './storage.ts'
import { registryLimiter, type Telemetry } from './telemetry.ts'

/** Everything a run is made of. */
export interface Services extends AsyncDisposable {
  readonly storage: Storage
  readonly telemetry: Telemetry
  readonly sources: SourceCaches
  readonly limiter: TokenBucket
  readonly pool: HttpPool
  readonly client: RegistryClient
}

export interface RegistryAddress {
  readonly base: URL
  /** Names the registry in the cache. */
  readonly identity: string
}

/** Slightly under what the embedded registry accepts, so that its 429 are met but rare. */
const requestsPerSecond = 240

/** Puts the packages together: the levels over the tree, and a pooled, limited, cached, measured and traced registry client. */
export function createServices(
  directory: string,
  { base, identity }: RegistryAddress,
  storage: Storage,
  telemetry: Telemetry,
): Services {
  const limiter = new TokenBucket({ rate: requestsPerSecond, burst: 40, name: registryLimiter })
  const pool = new HttpPool({
    connectionsPerHost: 8,
    totalTimeout: 30_000,
    connectTimeout: 3_000,
    headersTimeout: 10_000,
    // The largest documents of the public registry have some 50 MB.
    maxResponseSize: 64 * 1024 * 1024,
    retry: { maxAttempts: 4 },
    // Short, as a demo is: a service that was down is asked again within seconds.
    breaker: { cooldown: 1_000, maxCooldown: 4_000 },
    limiter,
    injectHeaders: headers => inject(headers),
  })
  const sources = new SourceCaches({
    root: directory,
    store: storage.sources,
    tables: storage.tables,
    telemetry,
    onStoreError: storage.onSourceError,
  })
  const client = new RegistryClient({
    base,
    identity,
    store: storage.packages,
    bus: storage.bus,
    pool,
    telemetry,
  })
  const { metrics } = telemetry
  metrics.observe('demo_http_pool', pool)
  metrics.observe('demo_registry_limiter', limiter)
  metrics.observe('demo_registry_client', client)
  metrics.observe('demo_files', sources.files)
  metrics.observe('demo_facts', sources.facts)
  metrics.observe('demo_results', sources.graph)
  metrics.observe('demo_store', storage.sources, { labels: { store: 'sources' } })
  metrics.observe('demo_store', storage.packages, { labels: { store: 'packages' } })
  return {
    storage,
    telemetry,
    sources,
    limiter,
    pool,
    client,
    async [Symbol.asyncDispose]() {
      limiter.close()
      await pool.destroy()
      await sources[Symbol.asyncDispose]()
      await telemetry[Symbol.asyncDispose]()
      await storage[Symbol.asyncDispose]()
    },
  }
}
