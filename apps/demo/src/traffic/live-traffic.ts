import { type Cache, cached } from '@millrace/cache-core'
import { insight } from '@millrace/cache-core/insight'
import type { HttpPool } from '@millrace/http-pool'
import { timed } from '@millrace/perf-metrics'
import { limited, TokenBucket } from '@millrace/rate-limit'
import type { PackageDocument } from '../registry/package-document.ts'
import { packageUrl } from '../registry/package-url.ts'
import { RegistryAnswerError } from '../registry/registry-answer-error.ts'
import { documentOf, type RegistryClient, scopeOf } from '../registry/registry-client.ts'
import type { Telemetry } from '../wiring/telemetry.ts'

/** Of the traffic's own limit, per second. */
const PERMITS = 400

/** Look-ups for one of the run's own client. */
const BESIDE = 20

/** Of the traffic's cache, in bytes. */
export const BUDGET = 64 * 1_024

/** Name of the timing of its look-ups. */
export const LOOK_UPS = 'demo_traffic_seconds'

export interface LiveTrafficOptions {
  readonly base: URL
  readonly pool: HttpPool
  readonly telemetry: Telemetry
  /** Names that are asked for, the first ones most often. */
  readonly packages: readonly string[]
  /** Names of which one in {@link BESIDE} look-ups asks the run's own client, in turns: what is invalidated there is filled again. */
  readonly beside: readonly string[]
  readonly client: Pick<RegistryClient, 'package'>
  /** Look-ups per second. Default: 20, enough for every chart to move, little enough not to be seen among processes */
  readonly rate?: number | undefined
  /** Whether to ask; it is called before each look-up. */
  wanted(): boolean
}

/**
 * The demo's own load while the live page is looked at, as a warm run leaves nothing to be seen. One function through five packages: a
 * fetch over the pool, cached, limited, timed and traced. `demo_traffic_total` counts it, and the page says whose it is.
 */
export class LiveTraffic implements Disposable {
  readonly limiter = new TokenBucket({ rate: PERMITS, burst: 50, name: 'traffic' })
  readonly cache: Cache<unknown, PackageDocument>
  readonly #lookUp: (name: string) => Promise<PackageDocument>
  readonly #packages: readonly string[]
  readonly #timer: NodeJS.Timeout | undefined
  #hotUntil = 0
  #ticks = 0

  constructor(options: LiveTrafficOptions) {
    const { base, pool, telemetry, packages, beside, client, rate = 20, wanted } = options
    const { metrics, tracer } = telemetry
    const fetchPackage = async (name: string): Promise<PackageDocument> => {
      const response = await pool.request(packageUrl(base, name))
      if (response.statusCode !== 200) {
        await response.body.dump()
        throw new RegistryAnswerError(base.origin, `${response.statusCode}`)
      }
      return documentOf(name, base, response)
    }
    const lookups = metrics.timing(LOOK_UPS, {
      help: "Look-ups of the demo's own load",
    })
    // Small and short-lived, so that it misses: what the upstream does is seen.
    const memoized = cached({
      maxEntries: 64,
      maxBytes: BUDGET,
      weigher: document => JSON.stringify(document).length,
      ttl: 5_000,
      staleIfError: 30_000,
      insight: insight({ advice: { sample: 1 } }),
      tags: (name: string) => [scopeOf(name)],
    })(fetchPackage)
    this.#lookUp = tracer.traced({ name: 'look up a package' })(
      timed(lookups)(limited(this.limiter)(memoized)),
    )
    this.cache = memoized.cache as Cache<unknown, PackageDocument>
    this.#packages = packages
    metrics.observe('demo_traffic_cache', this.cache)
    metrics.observe('demo_traffic_limiter', this.limiter)
    if (rate === 0 || packages.length === 0) return
    // Origins, connections and operations are there before somebody looks: their rows move nothing.
    void this.burst(1)
    this.#timer = setInterval(() => {
      if (!wanted()) return
      void this.burst(1)
      const tick = this.#ticks++
      if (tick % BESIDE > 0 || beside.length === 0) return
      client.package(beside[(tick / BESIDE) % beside.length]!).catch(() => {
        // Counted by the client's own metrics; the page goes on.
      })
    }, 1_000 / rate)
    this.#timer.unref()
  }

  /** So many look-ups at once; resolves once all are answered, or have failed. */
  burst(count: number): Promise<void> {
    return this.ask(Array.from({ length: count }, () => this.#next()))
  }

  /** Looks these up, as {@link burst}. */
  async ask(names: readonly string[]): Promise<void> {
    // Failures are counted by timing, cache and pool; a registry that is down must not end the page.
    await Promise.allSettled(names.map(name => this.#lookUp(name)))
  }

  /** Asks for one package alone for so many ms. */
  hotKey(duration: number): void {
    this.#hotUntil = performance.now() + duration
  }

  /** Drops what is known of the packages of a scope. */
  invalidate(scope: string): void {
    this.cache.deleteTag(scope)
  }

  close(): void {
    clearInterval(this.#timer)
    this.limiter.close()
    this.cache.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #next(): string {
    if (performance.now() < this.#hotUntil) return this.#packages[0] ?? ''
    // Squaring the random number makes the first names hot, as a service's keys are.
    return this.#packages[Math.floor(Math.random() ** 2 * this.#packages.length)] ?? ''
  }
}
