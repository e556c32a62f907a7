import type { PolicyName } from '@millrace/cache-core/policies'

/** Keys as services have them: names, or numbers. */
export type Key = string | number

/** What every contender has in common. Each is used as its library made it: a wrapper would cost more than a hit. */
export interface KeyedCache {
  get(key: Key): number | undefined
  set(key: Key, value: number): unknown
}

export interface Limits {
  readonly entries: number
  /** Time to live in milliseconds; none if absent. */
  readonly ttl?: number
}

export type CreateCache = (limits: Limits) => Promise<KeyedCache>

/** Ours with a named policy; `adaptive` is the default. */
export const millrace =
  (policy: PolicyName): CreateCache =>
  async ({ entries, ttl }) => {
    const { Cache } = await import('@millrace/cache-core')
    const { policies } = await import('@millrace/cache-core/policies')
    const options = { maxEntries: entries, policy: policies[policy] }
    return new Cache<Key, number>(ttl === undefined ? options : { ...options, ttl })
  }

/** Ours with a clock that is read once per run of synchronous code, as lru-cache reads its own at most once per ms. */
export const millraceTurnClock: CreateCache = async ({ entries, ttl }) => {
  const { Cache, turnClock } = await import('@millrace/cache-core')
  return new Cache<Key, number>({ maxEntries: entries, ttl: ttl ?? Infinity, clock: turnClock })
}

/** Ours with a clock that a thread keeps, awaited until it runs. */
export const millraceTickerClock: CreateCache = async ({ entries, ttl }) => {
  const { Cache } = await import('@millrace/cache-core')
  const { TickerClock } = await import('@millrace/cache-core/ticker')
  const clock = new TickerClock()
  while (!clock.ticking) await new Promise(resolve => setImmediate(resolve))
  return new Cache<Key, number>({ maxEntries: entries, ttl: ttl ?? Infinity, clock })
}

export const lruCache: CreateCache = async ({ entries, ttl }) => {
  const { LRUCache } = await import('lru-cache')
  return new LRUCache<Key, number>(ttl === undefined ? { max: entries } : { max: entries, ttl })
}

/** The same with a clock that is read on each access, as ours is by default. */
export const lruCacheExact: CreateCache = async ({ entries, ttl }) => {
  const { LRUCache } = await import('lru-cache')
  return new LRUCache<Key, number>({ max: entries, ttl: ttl ?? 0, ttlResolution: 0 })
}

export const tinyLru: CreateCache = async ({ entries, ttl }) => {
  const { LRU } = await import('tiny-lru')
  return new LRU<number>(entries, ttl ?? 0) as KeyedCache
}

export const quickLru: CreateCache = async ({ entries, ttl }) => {
  const { default: QuickLRU } = await import('quick-lru')
  return new QuickLRU<Key, number>(
    ttl === undefined ? { maxSize: entries } : { maxSize: entries, maxAge: ttl },
  )
}

/** No cache, as it has no bound: what a hit costs at the least. */
export const bareMap: CreateCache = async () => new Map<Key, number>()
