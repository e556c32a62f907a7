import { Buffer } from 'node:buffer'
import { Writable } from 'node:stream'
import type { Clock } from '@millrace/kit'
import type { cacheStores } from 'undici'
import { clockSteps } from './clock-steps.ts'
import { IDENTITY } from './identity.ts'

/** What undici's cache asks of a store. */
export type UndiciStore = Pick<
  InstanceType<typeof cacheStores.MemoryCacheStore>,
  'get' | 'createWriteStream' | 'delete'
>
export type CacheKey = Parameters<UndiciStore['get']>[0]
export type CacheValue = Parameters<UndiciStore['createWriteStream']>[1]
/** What a store has found. */
export type StoredResponse = Awaited<ReturnType<UndiciStore['get']>>

/** What is asked of a store: a part of cache-core's `Store`. */
export interface ResponseStore<V> {
  get(key: string): Promise<{ readonly value: V } | undefined>
  set(key: string, value: V, options?: { readonly ttl?: number | undefined }): Promise<unknown>
  delete(key: string): Promise<unknown>
}

/** One response as it is kept. */
export interface CachedResponse extends Omit<CacheValue, 'vary'> {
  readonly method: string
  readonly vary?: Record<string, string | string[] | null>
  /** By whose clock its times are, and how far that had been set back. */
  readonly clock?: { readonly id: string; readonly setBack: number }
  /** Base64, as stores pack values as JSON. */
  readonly body: string
}

/** All kept responses of one URL: one for each combination of the headers that they vary by. */
export type CachedResponses = readonly CachedResponse[]

/** Responses on their way into a store that is slow to take them, in bytes; what comes beyond that is not kept. */
const MAX_ARRIVING = 64 * 1024 * 1024

/** Of one URL. Beyond that the one that was stored first goes. */
const MAX_VARIANTS = 64

/** What waits to be written under one key of the store. */
interface Arrival {
  /** Each with what it was asked for by; oldest first. */
  readonly variants: Map<CachedResponse, CacheKey>
  /** Ends when all of them are in the store, or given up. */
  written: Promise<void>
}

/**
 * undici's cache over any {@link ResponseStore}. A store that fails is a cache that misses: the request goes to the origin. A response
 * can be found from the moment on that it is complete, however slow the store, and not any more once it was deleted.
 *
 * All variants of a URL are one value of the store, which one writer per pool reads, completes and writes: none is lost, however many
 * come at a time. Where several processes share a store, one may overwrite what another has added in the same moment; that is
 * fetched again. Two variants are never mixed.
 */
export class StoreAdapter implements UndiciStore {
  readonly #store: ResponseStore<CachedResponses>
  readonly #maxEntrySize: number
  readonly #timeout: number
  readonly #clock: Clock
  /** By the store's keys. */
  readonly #arriving = new Map<string, Arrival>()
  #arrivingBytes = 0
  /** Calls of the store that failed. */
  failures = 0

  /** @param timeout of a look-up, in ms */
  constructor(
    store: ResponseStore<CachedResponses>,
    maxEntrySize: number,
    timeout: number,
    clock: Clock,
  ) {
    this.#store = store
    this.#maxEntrySize = maxEntrySize
    this.#timeout = timeout
    this.#clock = clock
  }

  async get(key: CacheKey): Promise<StoredResponse> {
    const arriving = [...(this.#arriving.get(storeKey(key))?.variants.keys() ?? [])]
    const variant =
      arriving.findLast(each => matches(each, key)) ??
      (await this.#inTime(this.#stored(storeKey(key))))?.find(each => matches(each, key))
    if (variant === undefined) return undefined
    const { method: _method, body, clock, ...value } = variant
    // By which it is found that the clock was set back since.
    if (clock?.id === clockSteps.id) clockSteps.mark(value.headers, clock.setBack)
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
    const arrival = this.#arriving.get(name)
    for (const variant of arrival?.variants.keys() ?? []) this.#leave(arrival!, variant)
    await this.#attempt(() => this.#store.delete(name), undefined)
  }

  #add(key: CacheKey, value: CacheValue, body: Buffer): Promise<void> {
    const { id, setBack } = clockSteps
    const variant: CachedResponse = {
      ...value,
      method: key.method,
      clock: { id, setBack },
      body: body.toString('base64'),
    }
    const name = storeKey(key)
    let arrival = this.#arriving.get(name)
    // Of a store that never takes what it is given, no more than the latest is remembered.
    for (const each of arrival?.variants.keys() ?? [])
      if (matches(each, key)) this.#leave(arrival!, each)
    if (this.#arrivingBytes + variant.body.length > MAX_ARRIVING) return Promise.resolve()
    this.#arrivingBytes += variant.body.length
    if (arrival === undefined) {
      arrival = { variants: new Map([[variant, key]]), written: Promise.resolve() }
      this.#arriving.set(name, arrival)
      arrival.written = this.#write(name, arrival)
    } else {
      arrival.variants.set(variant, key)
    }
    return arrival.written
  }

  /** Writes what has arrived, and what arrives meanwhile. */
  async #write(name: string, arrival: Arrival): Promise<void> {
    const { variants: arriving } = arrival
    while (arriving.size > 0) {
      const stored = await this.#stored(name)
      // Not what was deleted while the store was read, or has come anew.
      const added = [...arriving.keys()].reverse()
      const keys = [...arriving.values()]
      const kept = stored.filter(each => !keys.some(key => matches(each, key)))
      const variants = [...added, ...kept].slice(0, MAX_VARIANTS)
      const ttl = Math.max(...variants.map(each => each.deleteAt)) - Date.now()
      if (added.length > 0 && ttl > 0) {
        await this.#attempt(() => this.#store.set(name, variants, { ttl }), false)
      }
      for (const variant of added) this.#leave(arrival, variant)
    }
    this.#arriving.delete(name)
  }

  #leave({ variants }: Arrival, variant: CachedResponse): void {
    if (variants.delete(variant)) this.#arrivingBytes -= variant.body.length
  }

  async #stored(name: string): Promise<CachedResponses> {
    const now = Date.now()
    return this.#attempt(async () => {
      const { value } = (await this.#store.get(name)) ?? { value: [] }
      // No entry of a store: it is not of the shape that is asked for, or another has written there.
      if (!Array.isArray(value)) throw new TypeError('Not a list of responses')
      const variants = value.slice(0, MAX_VARIANTS)
      const kept = variants.filter(isKept)
      if (kept.length < variants.length) this.failures++
      return kept.filter(each => each.deleteAt > now)
    }, [])
  }

  /** What is looked up, or undefined if the store takes too long to say: that is a miss. */
  #inTime<T>(found: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimer(() => {
        this.failures++
        resolve(undefined)
      }, this.#timeout)
      found.then(resolve, reject).finally(() => timer.cancel())
    })
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

/** Whether it has what is read of it: others may have written there. */
function isKept(value: unknown): value is CachedResponse {
  const { body, headers, statusCode, ...times } = (value ?? {}) as CachedResponse
  const isResponse = Number.isInteger(statusCode) && statusCode >= 200 && statusCode <= 999
  const hasShape = typeof body === 'string' && typeof headers === 'object' && headers !== null
  const { cachedAt, staleAt, deleteAt } = times
  return isResponse && hasShape && [cachedAt, staleAt, deleteAt].every(Number.isFinite)
}

function matches(variant: CachedResponse, key: CacheKey): boolean {
  if (variant.method !== key.method || variant.vary?.[IDENTITY] === undefined) return false
  for (const [name, value] of Object.entries(variant.vary ?? {})) {
    const own = key.headers?.[name] ?? null
    if (JSON.stringify(own) !== JSON.stringify(value)) return false
  }
  return true
}
