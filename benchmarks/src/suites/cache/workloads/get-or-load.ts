import assert from 'node:assert/strict'
import type { Prepare } from '../../../define.ts'

/** Reads a value that is in the cache through the library's verb for "get or load". */
export interface LoadingCache {
  read(key: string): Promise<number>
  fill(key: string, value: number): unknown
  close?(): unknown
}

const keys = Array.from({ length: 1_000 }, (_, index) => `user:profile:${index}`)

/**
 * One operation is one read of a value that is held. `awaited`: each read is awaited before the next, which alone costs
 * some 50 ns whatever the library; else one in a thousand is, after all before it were made. `rounds` over 1,000 keys are one run.
 */
export function loadHit(
  open: () => Promise<LoadingCache>,
  awaited: boolean,
  rounds?: number,
): Prepare<number> {
  return async ({ quick }) => {
    const cache = await open()
    for (const [index, key] of keys.entries()) await cache.fill(key, index)
    for (const [index, key] of keys.entries()) assert.equal(await cache.read(key), index)
    const times = rounds ?? (quick ? 20 : 50)
    const run = awaited ? awaitEach : awaitLast
    return {
      operations: times * keys.length,
      run: () => run(cache, times),
      close: async () => void (await cache.close?.()),
    }
  }
}

async function awaitEach(cache: LoadingCache, rounds: number): Promise<number> {
  let last = 0
  for (let round = 0; round < rounds; round++) {
    for (const key of keys) last = await cache.read(key)
  }
  return last
}

async function awaitLast(cache: LoadingCache, rounds: number): Promise<number> {
  let last = 0
  for (let round = 0; round < rounds; round++) {
    let read: Promise<number> | undefined
    for (const key of keys) read = cache.read(key)
    last = await read!
  }
  return last
}

/** The same through a verb that answers without a promise. */
export function loadHitSync(open: () => Promise<{ read(key: string): number }>): Prepare<number> {
  return async ({ quick }) => {
    const cache = await open()
    for (const [index, key] of keys.entries()) assert.equal(cache.read(key), index)
    const rounds = quick ? 200 : 500
    return {
      operations: rounds * keys.length,
      run() {
        let sum = 0
        for (let round = 0; round < rounds; round++) {
          for (const key of keys) sum += cache.read(key)
        }
        return sum / rounds / 500
      },
    }
  }
}

/** The last key's value, or twice the mean of all: both are 999. */
export function checkLoadHit(result: number): void {
  assert.equal(result, 999)
}

/** The value of a key: its number, so that a wrong value shows in the sum. */
function numberOf(key: string): number {
  return Number(key.slice(key.lastIndexOf(':') + 1))
}

const notReached = async (): Promise<number> => {
  throw new Error('The value is in the cache')
}

export async function millraceLoad(): Promise<LoadingCache> {
  const { Cache } = await import('@millrace/cache-core')
  const cache = new Cache<string, number>({ maxEntries: 10_000 })
  return {
    read: key => cache.getOrLoad(key, notReached),
    fill: (key, value) => cache.set(key, value),
  }
}

export async function millraceLoadTagged(): Promise<LoadingCache> {
  const { Cache } = await import('@millrace/cache-core')
  const cache = new Cache<string, number>({ maxEntries: 10_000 })
  return {
    read: key => cache.getOrLoad(key, notReached),
    fill: (key, value) => cache.set(key, value, { tags: ['profiles', key] }),
  }
}

export async function millraceLoadSync(): Promise<{ read(key: string): number }> {
  const { Cache } = await import('@millrace/cache-core')
  const cache = new Cache<string, number>({ maxEntries: 10_000 })
  const load = ({ key }: { key: string }): number => numberOf(key)
  return { read: key => cache.getOrLoadSync(key, load) }
}

export async function lruCacheMemo(): Promise<{ read(key: string): number }> {
  const { LRUCache } = await import('lru-cache')
  const cache = new LRUCache<string, number>({ max: 10_000, memoMethod: numberOf })
  return { read: key => cache.memo(key) }
}

export async function lruCacheFetch(): Promise<LoadingCache> {
  const { LRUCache } = await import('lru-cache')
  const cache = new LRUCache<string, number>({
    max: 10_000,
    fetchMethod: notReached,
  })
  return {
    read: key => cache.forceFetch(key),
    fill: (key, value) => cache.set(key, value),
  }
}

async function openBentocache() {
  const { BentoCache, bentostore } = await import('bentocache')
  const { memoryDriver } = await import('bentocache/drivers/memory')
  return new BentoCache({
    default: 'memory',
    stores: { memory: bentostore().useL1Layer(memoryDriver({ maxItems: 10_000 })) },
  })
}

export async function bentocacheLoad(): Promise<LoadingCache> {
  const cache = await openBentocache()
  return {
    read: key => cache.getOrSet({ key, factory: notReached }),
    fill: (key, value) => cache.set({ key, value }),
    close: () => cache.disconnectAll(),
  }
}

export async function bentocacheLoadTagged(): Promise<LoadingCache> {
  const cache = await openBentocache()
  return {
    read: key => cache.getOrSet({ key, factory: notReached, tags: ['profiles', key] }),
    fill: (key, value) => cache.set({ key, value, tags: ['profiles', key] }),
    close: () => cache.disconnectAll(),
  }
}

export async function cacheableLoad(): Promise<LoadingCache> {
  const { Cacheable } = await import('cacheable')
  const cache = new Cacheable()
  return {
    read: async key => (await cache.getOrSet(key, notReached))!,
    fill: (key, value) => cache.set(key, value),
    close: () => cache.disconnect(),
  }
}

/** A function of two arguments, memoized with its default key, and the same function as it is. */
export async function millraceMemoize(): Promise<{ read(key: string): number }> {
  const { memoize } = await import('@millrace/cache-core')
  return { read: memoize(numberOf, { maxEntries: 10_000 }) }
}

export async function millraceMemoizeObject(): Promise<{ read(key: string): number }> {
  const { memoize } = await import('@millrace/cache-core')
  const memoized = memoize(({ id }: { id: string; locale: string }) => numberOf(id), {
    maxEntries: 10_000,
  })
  return { read: id => memoized({ id, locale: 'en' }) }
}

/** `wrap` makes its key of JSON and a 32-bit hash of it. */
export async function cacheableWrapObject(): Promise<{ read(key: string): number }> {
  const { CacheableMemory } = await import('cacheable')
  const cache = new CacheableMemory({ lruSize: 10_000 })
  const wrapped = cache.wrap(({ id }: { id: string; locale: string }) => numberOf(id), {
    ttl: '1m',
  })
  return { read: id => wrapped({ id, locale: 'en' }) }
}
