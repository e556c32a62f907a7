import type { Racer } from './race.ts'

const key = 'user:1'
const tags = ['users']

/** Each library under its npm name, opened anew for each order of events. */
export const racers: Record<string, () => Promise<Racer>> = {
  'cache-core': async () => {
    const { Cache } = await import('@millrace/cache-core')
    const cache = new Cache<string, number>({ maxEntries: 100 })
    return {
      read: load => cache.getOrLoad(key, load, { tags }),
      held: async () => cache.get(key),
      changed: {
        delete: () => cache.delete(key),
        expire: () => cache.expire(key),
        'delete by tag': () => cache.deleteTag('users'),
        'delete by pattern': () => cache.deleteMatching('user:*'),
        clear: () => cache.clear(),
        set: version => cache.set(key, version),
      },
    }
  },

  'lru-cache': () => openLruCache(false),
  'lru-cache, ignoreFetchAbort': () => openLruCache(true),

  bentocache: async () => {
    const { BentoCache, bentostore } = await import('bentocache')
    const { memoryDriver } = await import('bentocache/drivers/memory')
    const cache = new BentoCache({
      default: 'memory',
      stores: { memory: bentostore().useL1Layer(memoryDriver({ maxItems: 100 })) },
    })
    return {
      read: load => cache.getOrSet({ key, factory: load, ttl: '1m', tags }),
      held: () => cache.get({ key }),
      changed: {
        delete: () => cache.delete({ key }),
        expire: () => cache.expire({ key }),
        'delete by tag': () => cache.deleteByTag({ tags }),
        clear: () => cache.clear(),
        set: version => cache.set({ key, value: version, ttl: '1m', tags }),
      },
      close: () => cache.disconnectAll(),
    }
  },

  cacheable: async () => {
    const { Cacheable } = await import('cacheable')
    const cache = new Cacheable({ ttl: '1m' })
    return {
      read: load => cache.getOrSet(key, load),
      held: () => cache.get<number>(key),
      changed: {
        delete: () => cache.delete(key),
        clear: () => cache.clear(),
        set: version => cache.set(key, version),
      },
      close: () => cache.disconnect(),
    }
  },
}

/** By default invalidation aborts the load; `ignoreFetchAbort` lets its callers have the value nevertheless. */
async function openLruCache(ignoreFetchAbort: boolean): Promise<Racer> {
  const { LRUCache } = await import('lru-cache')
  const cache = new LRUCache<string, number, () => Promise<number>>({
    max: 100,
    ignoreFetchAbort,
    fetchMethod: (_key, _stale, { context }) => context(),
  })
  return {
    read: load => cache.fetch(key, { context: load }),
    held: async () => cache.get(key),
    changed: {
      delete: () => cache.delete(key),
      clear: () => cache.clear(),
      set: version => cache.set(key, version),
    },
  }
}
