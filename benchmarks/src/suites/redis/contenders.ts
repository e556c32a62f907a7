import type { Redis } from 'ioredis'

/** A cache in memory over Redis, by the verbs that a service uses. */
export interface TwoTiers {
  read(key: string, load: () => Promise<string>): Promise<string>
  write(key: string, value: string): Promise<unknown>
  remove(key: string): Promise<unknown>
  close(): Promise<unknown>
}

export interface Where {
  readonly port: number
  /** Entries in memory. */
  readonly entries: number
}

const ttl = 600_000
/** Every value carries this tag: tags are what makes most libraries ask Redis on a hit in memory. */
const tags = ['users']

export async function millrace({ port, entries }: Where): Promise<TwoTiers> {
  const { TieredCache } = await import('@millrace/cache-core/tiered')
  const { RedisStore } = await import('@millrace/cache-redis')
  const store = new RedisStore<string>({ url: `redis://127.0.0.1:${port}`, prefix: 'millrace' })
  const cache = new TieredCache<string>({ store, maxEntries: entries, ttl })
  return {
    read: (key, load) => cache.getOrLoad(key, load, { tags }),
    write: (key, value) => cache.set(key, value, { tags }),
    remove: key => cache.delete(key),
    close: () => store.close(),
  }
}

export async function bentocache({ port, entries }: Where): Promise<TwoTiers> {
  const { BentoCache, bentostore } = await import('bentocache')
  const { memoryDriver } = await import('bentocache/drivers/memory')
  const { redisDriver } = await import('bentocache/drivers/redis')
  const layers = bentostore()
    // With its default, JSON in memory too: `serialize: false` over Redis reads back what it cannot use (1.6.1).
    .useL1Layer(memoryDriver({ maxItems: entries }))
    .useL2Layer(redisDriver({ connection: { host: '127.0.0.1', port } }))
  const cache = new BentoCache({ default: 'tiers', ttl, stores: { tiers: layers } })
  return {
    read: (key, load) => cache.getOrSet({ key, factory: load, tags }),
    write: (key, value) => cache.set({ key, value, tags }),
    remove: key => cache.delete({ key }),
    close: () => cache.disconnectAll(),
  }
}

/** What no cache over ioredis can go below: our memory, and one bare command each, without envelope, tags, fence or timeout. */
export async function floor({ port, entries }: Where): Promise<TwoTiers> {
  const { Cache } = await import('@millrace/cache-core')
  const { Redis: Client } = await import('ioredis')
  const redis = new Client({ host: '127.0.0.1', port })
  const cache = new Cache<string, string>({ maxEntries: entries, ttl })
  const keep = async (key: string, value: string): Promise<string> => {
    await redis.set(key, value, 'PX', ttl)
    return value
  }
  return {
    read: (key, load) =>
      cache.getOrLoad(key, async () => (await redis.get(key)) ?? keep(key, await load())),
    write: async (key, value) => {
      cache.delete(key)
      cache.set(key, await keep(key, value))
    },
    remove: async key => {
      cache.delete(key)
      await redis.unlink(key)
    },
    close: () => redis.quit(),
  }
}

/** A connection of the benchmark's own, to empty the server and to count its work. */
export async function observer(port: number): Promise<Redis> {
  const { Redis: Client } = await import('ioredis')
  return new Client({ host: '127.0.0.1', port })
}
