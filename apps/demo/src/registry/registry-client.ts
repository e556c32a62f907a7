import type { Store } from '@millrace/cache-core/store'
import { type InvalidationBus, TieredCache } from '@millrace/cache-core/tiered'
import type { HttpPool } from '@millrace/http-pool'
import type { Telemetry } from '../wiring/telemetry.ts'
import { type PackageDocument, type RegistryAnswer, toDocument } from './package-document.ts'
import { isPackageName, packageUrl } from './package-url.ts'
import { RegistryAnswerError } from './registry-answer-error.ts'

export interface RegistryClientOptions {
  readonly base: URL
  /** Names the registry in stored keys: answers of one registry are not those of another. Default: its URL. */
  readonly identity?: string
  readonly store: Store<RegistryAnswer>
  /** Tells other processes on the same store what is invalidated here. */
  readonly bus?: InvalidationBus | undefined
  readonly pool: HttpPool
  readonly telemetry: Telemetry
}

/** How the answers of this client came about, by number of packages. */
export interface RegistryClientStats {
  /** Answered from memory, and from the store. */
  readonly memoryHits: number
  readonly memoryMisses: number
  readonly storeHits: number
  readonly storeMisses: number
  /** Reads and writes of the store that failed; the registry was asked instead. */
  readonly storeFailures: number
  /** The registry confirmed a stored answer: 304. */
  readonly revalidated: number
  readonly downloaded: number
  /** Asked for and not there: 404. */
  readonly absent: number
  /** A stored answer past its time served because the registry failed. */
  readonly staleServed: number
  /** Invalidations by other processes. */
  readonly received: number
}

const minute = 60_000
/** How long an answer is taken as it is. Registries ask for 5 minutes, for the sake of new versions; what is installed is older. */
const fresh = 60 * minute
/** How long an answer is kept for revalidation after that, and for registries that are down. */
const kept = 30 * 24 * 60 * minute

/**
 * Package metadata from a registry, through memory, a store that outlives the process, and conditional requests over the
 * pool. Concurrent calls for one name share one request.
 */
export class RegistryClient {
  readonly #options: RegistryClientOptions
  readonly #identity: string
  readonly #cache: TieredCache<RegistryAnswer>
  readonly #counts = { revalidated: 0, downloaded: 0, absent: 0 }

  constructor(options: RegistryClientOptions) {
    this.#options = options
    this.#identity = options.identity ?? options.base.href
    this.#cache = new TieredCache({
      store: options.store,
      bus: options.bus,
      maxEntries: 10_000,
      ttl: fresh,
      staleIfError: kept,
    })
  }

  /**
   * @returns the document, or undefined when the registry has no such package, or none can have that name
   * @throws when the registry could not be asked and nothing is stored: `RegistryAnswerError` or an error of the pool
   */
  async package(name: string, signal?: AbortSignal): Promise<PackageDocument | undefined> {
    if (!isPackageName(name)) return undefined
    const { tracer, timings } = this.#options.telemetry
    const answer = await timings.lookup.time(() =>
      tracer.span('package', { attributes: { 'package.name': name }, parent: null }, () =>
        this.#cache.getOrLoad(
          this.#identity + name,
          load => this.#ask(name, load.stale, load.signal),
          { signal, tags: [scopeOf(name)] },
        ),
      ),
    )
    return answer.document
  }

  /** Makes the packages of a scope gone here, in the store, and in every process that shares it. */
  async invalidate(scope: string): Promise<void> {
    await this.#cache.deleteTag(scope)
  }

  stats(): RegistryClientStats {
    const { l1, storeHits, storeMisses, storeFailures, received } = this.#cache.stats()
    return {
      ...this.#counts,
      memoryHits: l1.hits,
      memoryMisses: l1.misses,
      storeHits,
      storeMisses,
      storeFailures,
      staleServed: l1.staleServed,
      received,
    }
  }

  async #ask(
    name: string,
    known: RegistryAnswer | undefined,
    signal: AbortSignal,
  ): Promise<RegistryAnswer> {
    const { base, pool, telemetry } = this.#options
    const headers: Record<string, string> = { accept: 'application/json' }
    if (known?.etag !== undefined) headers['if-none-match'] = known.etag
    const response = await telemetry.timings.request.time(() =>
      pool.request(packageUrl(base, name), { headers, signal }),
    )
    if (response.statusCode === 200) {
      const { etag } = response.headers
      const document = await documentOf(name, base, response)
      this.#counts.downloaded++
      return { document, etag: typeof etag === 'string' ? etag : undefined }
    }
    await response.body.dump()
    if (response.statusCode === 304 && known !== undefined) {
      this.#counts.revalidated++
      return known
    }
    if (response.statusCode !== 404) {
      throw new RegistryAnswerError(base.origin, `${response.statusCode}`)
    }
    this.#counts.absent++
    return { document: undefined, etag: undefined }
  }
}

/**
 * The document in an answer.
 *
 * @throws {RegistryAnswerError} when the body is none
 */
export async function documentOf(
  name: string,
  { origin }: URL,
  { body }: { readonly body: { json(): Promise<unknown> } },
): Promise<PackageDocument> {
  const json = await body.json().catch((error: Error) => {
    if (!(error instanceof SyntaxError)) throw error
    throw new RegistryAnswerError(origin, 'what is not JSON', { cause: error })
  })
  const document = toDocument(name, json)
  if (document === undefined) throw new RegistryAnswerError(origin, 'what is no package document')
  return document
}

/** What names have in common: the scope, or the first letter of those that have none. */
export function scopeOf(name: string): string {
  return name.startsWith('@') ? name.slice(0, name.indexOf('/')) : name.slice(0, 1)
}
