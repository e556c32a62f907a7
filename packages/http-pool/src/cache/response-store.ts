import { Buffer } from 'node:buffer'
import { Writable } from 'node:stream'
import type { cacheStores } from 'undici'

/** What undici's cache asks of a store. */
export type UndiciStore = Pick<
  InstanceType<typeof cacheStores.MemoryCacheStore>,
  'get' | 'createWriteStream' | 'delete'
>
export type CacheKey = Parameters<UndiciStore['get']>[0]
type CacheValue = Parameters<UndiciStore['createWriteStream']>[1]
/** What a store has found. */
export type StoredResponse = Awaited<ReturnType<UndiciStore['get']>>

/** What is asked of a store: a part of cache-core's `Store`. */
export interface ResponseStore<V> {
  get(key: string): Promise<{ readonly value: V } | undefined>
  set(key: string, value: V, options?: { ttl?: number }): Promise<unknown>
  delete(key: string): Promise<unknown>
}

/** One response as it is kept. */
export interface CachedResponse extends Omit<CacheValue, 'vary'> {
  readonly method: string
  readonly vary?: Record<string, string | string[] | null>
  /** Base64, as stores pack values as JSON. */
  readonly body: string
}

/** All kept responses of one URL: one for each combination of the headers that they vary by. */
export type CachedResponses = readonly CachedResponse[]

/** URLs whose responses are on their way into the store at one time; further ones are found once they are in it. */
const MAX_ARRIVING = 100

/** Of one URL; more variants than this are hardly ever asked for again. */
const MAX_VARIANTS = 16

/**
 * undici's cache over any {@link ResponseStore}. A store that fails is a cache that misses: the request goes
 * to the origin. A response can be found from the moment on that it is complete, however slow the store, and
 * not any more once it was deleted. Two writers of one URL at a time may lose a variant, never mix two.
 */
export class StoreAdapter implements UndiciStore {
  readonly #store: ResponseStore<CachedResponses>
  readonly #maxEntrySize: number
  /** Responses on their way into the store, by its key. */
  readonly #arriving = new Map<string, Set<CachedResponse>>()
  /** Calls of the store that failed. */
  failures = 0

  constructor(store: ResponseStore<CachedResponses>, maxEntrySize: number) {
    this.#store = store
    this.#maxEntrySize = maxEntrySize
  }

  async get(key: CacheKey): Promise<StoredResponse> {
    const arriving = [...(this.#arriving.get(storeKey(key)) ?? [])]
    const variant =
      arriving.findLast(each => matches(each, key)) ??
      (await this.#variants(key)).find(each => matches(each, key))
    if (variant === undefined) return undefined
    const { method: _method, body, ...value } = variant
    return {
      ...value,
      cacheControlDirectives: value.cacheControlDirectives ?? {},
      body: Buffer.from(body, 'base64'),
    } as StoredResponse
  }

  createWriteStream(key: CacheKey, value: CacheValue): Writable {
    const chunks: Buffer[] = []
    let size = 0
    return new Writable({
      write: (chunk: Buffer | string, encoding, done) => {
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk
        size += bytes.length
        // Keep taking the bytes: the response goes on, only the copy is given up.
        if (size <= this.#maxEntrySize) chunks.push(bytes)
        else chunks.length = 0
        done()
      },
      final: done => {
        if (size > this.#maxEntrySize) done()
        else this.#add(key, value, Buffer.concat(chunks)).then(() => done(), done)
      },
    })
  }

  async delete(key: CacheKey): Promise<void> {
    const name = storeKey(key)
    this.#arriving.get(name)?.clear()
    await this.#attempt(() => this.#store.delete(name), undefined)
  }

  async #add(key: CacheKey, value: CacheValue, body: Buffer): Promise<void> {
    const name = storeKey(key)
    const variant: CachedResponse = { ...value, method: key.method, body: body.toString('base64') }
    const arriving = this.#arriving.get(name) ?? new Set()
    if (this.#arriving.size < MAX_ARRIVING) this.#arriving.set(name, arriving)
    // Of a store that never takes what it is given, no more than the latest is remembered.
    for (const each of arriving) if (matches(each, key)) arriving.delete(each)
    arriving.add(variant)
    const others = (await this.#variants(key)).filter(each => !matches(each, key))
    const variants = [variant, ...others].slice(0, MAX_VARIANTS)
    const ttl = Math.max(...variants.map(each => each.deleteAt)) - Date.now()
    // Not if the URL was deleted meanwhile, or has changed again.
    if (ttl > 0 && arriving.has(variant)) {
      await this.#attempt(() => this.#store.set(name, variants, { ttl }), false)
    }
    arriving.delete(variant)
    if (arriving.size === 0 && this.#arriving.get(name) === arriving) this.#arriving.delete(name)
  }

  async #variants(key: CacheKey): Promise<CachedResponses> {
    const entry = await this.#attempt(() => this.#store.get(storeKey(key)), undefined)
    const now = Date.now()
    return Array.isArray(entry?.value) ? entry.value.filter(each => each.deleteAt > now) : []
  }

  async #attempt<T, F>(call: () => Promise<T>, fallback: F): Promise<T | F> {
    try {
      return await call()
    } catch {
      this.failures++
      return fallback
    }
  }
}

/** JSON, so that no path can imitate another origin. */
function storeKey({ origin, path }: CacheKey): string {
  return JSON.stringify([origin, path])
}

function matches(variant: CachedResponse, key: CacheKey): boolean {
  if (variant.method !== key.method) return false
  for (const [name, value] of Object.entries(variant.vary ?? {})) {
    const own = key.headers?.[name] ?? null
    if (JSON.stringify(own) !== JSON.stringify(value)) return false
  }
  return true
}
