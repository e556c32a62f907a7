import assert from 'node:assert/strict'
import type { Prepare } from '../../../define.ts'
import { timeInTurn } from '../../../measure/in-turn.ts'
import { type CreateCache, type KeyedCache, lruCache, lruCacheExact } from '../contenders/caches.ts'
import { zipf } from './keys.ts'

export interface CompanyResult {
  readonly reads: number
  readonly hits: number
  /** Reads that gave another value than was set. */
  readonly wrong: number
}

const entries = 20_000
const distinct = 200_000
/** Reads timed at once; between two of those the company has its turn. */
const chunk = 20_000
const companyReads = 2_000

/** What a service has beside the cache that is looked at. */
interface Companion {
  readonly cache: { get(key: never): unknown; set(key: never, value: never): unknown }
  keyOf(id: number): unknown
}

/**
 * Reads of 200,000 keys by a Zipf law (exponent 0.9) in a cache of 20,000 entries, and `set` on a miss, in a process in which a dozen
 * other caches of both libraries are alive and used in turn: of strings, integers, objects and mixed keys, of other policies, with
 * times to live, weights, tags and listeners, so that no call site sees one shape only. Each read brings a string built from an id.
 * Only the cache in question is timed.
 */
export const inCompany =
  (create: CreateCache, ttl?: number): Prepare<CompanyResult> =>
  async ({ quick }) => {
    const others = await company()
    const cache = await create(ttl === undefined ? { entries } : { entries, ttl })
    const order = zipf(400_000, distinct, 0.9)
    const result = { reads: 0, hits: 0, wrong: 0 }
    let at = 0
    return {
      async measure() {
        const value = await timeInTurn({
          operations: chunk,
          quick,
          company() {
            for (const other of others) use(other, order, at)
          },
          perform() {
            result.hits += getOrSet(cache, order, at, result)
            result.reads += chunk
            at = (at + chunk) % order.length
          },
        })
        return { value, result }
      },
    }
  }

function getOrSet(
  cache: KeyedCache,
  order: Int32Array,
  from: number,
  result: { wrong: number },
): number {
  let hits = 0
  for (let i = from; i < from + chunk; i++) {
    const id = order[i]!
    const key = `user:profile:${id}`
    const value = cache.get(key)
    if (value === undefined) cache.set(key, id)
    else if (value === id) hits++
    else result.wrong++
  }
  return hits
}

function use({ cache, keyOf }: Companion, order: Int32Array, from: number): void {
  for (let i = from; i < from + companyReads; i++) {
    const id = order[i]!
    const key = keyOf(id) as never
    if (cache.get(key) === undefined) cache.set(key, { id } as never)
  }
}

/** Caches of both libraries, ours of all policies. */
async function company(): Promise<Companion[]> {
  const { Cache } = await import('@millrace/cache-core')
  const { lru, s3Fifo, sieve, wTinyLfu } = await import('@millrace/cache-core/policies')
  const { LRUCache } = await import('lru-cache')
  const objects = Array.from({ length: distinct }, (_, id) => ({ id }))
  const text = (id: number): string => `session/${id.toString(36)}`
  const integer = (id: number): number => id
  const object = (id: number): object => objects[id]!
  const mixed = (id: number): unknown => (id % 3 === 0 ? id + 0.5 : id % 3 === 1 ? text(id) : id)
  const minute = 60_000
  const weigher = (): number => 1
  const tagged = new Cache<string, object>({ maxEntries: 5_000 })
  const loaded = new Cache<string, object>({ maxEntries: 1_000, ttl: minute, eagerRefresh: 0.9 })
  return [
    { cache: new Cache({ maxEntries: 1_000, policy: sieve }), keyOf: integer },
    { cache: new Cache({ maxEntries: 500, policy: lru, ttl: minute }), keyOf: text },
    { cache: new Cache({ maxEntries: 3_000, policy: s3Fifo }), keyOf: object },
    { cache: new Cache({ maxEntries: 2_000, policy: wTinyLfu, idleTtl: minute }), keyOf: mixed },
    { cache: new Cache({ maxBytes: 1_000, weigher, ttlJitter: 0.1, ttl: minute }), keyOf: text },
    { cache: new Cache({ maxEntries: 100, onRemove: () => {} }), keyOf: mixed },
    {
      cache: {
        get: (key: string) => tagged.get(key),
        set: (key: string, value: object) => tagged.set(key, value, { tags: ['all', key] }),
      },
      keyOf: text,
    },
    {
      cache: {
        get: (key: string) => loaded.getOrLoadSync(key, () => ({ key })),
        set: () => undefined,
      },
      keyOf: text,
    },
    { cache: await lruCache({ entries: 1_000 }), keyOf: integer },
    { cache: await lruCacheExact({ entries: 500, ttl: minute }), keyOf: text },
    { cache: await lruCache({ entries: 2_000, ttl: minute }), keyOf: mixed },
    {
      cache: new LRUCache<object, object>({ maxSize: 3_000, sizeCalculation: () => 1 }),
      keyOf: object,
    },
    { cache: new LRUCache<string, object>({ max: 100, dispose: () => {} }), keyOf: text },
  ]
}

/** The most popular tenth of the keys has half to three quarters of these reads. */
export function checkCompany({ reads, hits, wrong }: CompanyResult): void {
  assert.equal(wrong, 0)
  assert.ok(hits > 0.5 * reads && hits < 0.75 * reads, `${hits} hits in ${reads} reads`)
}
