import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { Keyv, KeyvStoreAdapter, StoredData } from 'keyv-5'
import type { Prepare } from '../../../define.ts'
import type { LoadingCache } from '../../cache/workloads/get-or-load.ts'
import { scratch } from './scratch.ts'

/** A cache in memory over files, by the verbs that a service uses. Where it can, it writes to the files behind its callers. */
interface Tiers {
  read(key: string, load: () => Promise<string>): Promise<unknown>
  write(key: string, value: string): Promise<unknown>
  remove(key: string): Promise<unknown>
  close(): Promise<unknown>
}
type Open = (folder: string) => Promise<Tiers>

const IN_MEMORY = 500
const KEYS = 5_000
const ttl = 600_000
/** Operations of a mix before it is measured: as one in four goes to the file, fewer leave that part not yet compiled. */
const WARM_UP = 5_000

export async function millraceSqlite(folder: string): Promise<Tiers> {
  const { TieredCache } = await import('@millrace/cache-core/tiered')
  const { SqliteStore } = await import('@millrace/cache-core/sqlite')
  const store = new SqliteStore<string>({ path: join(folder, 'cache.db') })
  const cache = new TieredCache<string>({
    store,
    maxEntries: IN_MEMORY,
    ttl,
    backgroundWrites: true,
  })
  return {
    read: (key, load) => cache.getOrLoad(key, load),
    write: (key, value) => cache.set(key, value),
    remove: key => cache.delete(key),
    async close() {
      await cache.close()
      await store.close()
    },
  }
}

export async function bentocacheFile(folder: string): Promise<Tiers> {
  const { BentoCache, bentostore } = await import('bentocache')
  const { memoryDriver } = await import('bentocache/drivers/memory')
  const { fileDriver } = await import('bentocache/drivers/file')
  const layers = bentostore()
    .useL1Layer(memoryDriver({ maxItems: IN_MEMORY }))
    .useL2Layer(fileDriver({ directory: folder, pruneInterval: false }))
  const cache = new BentoCache({ default: 'tiers', ttl, stores: { tiers: layers } })
  return {
    read: (key, load) => cache.getOrSet({ key, factory: load }),
    write: (key, value) => cache.set({ key, value }),
    remove: key => cache.delete({ key }),
    close: () => cache.disconnectAll(),
  }
}

/** A second tier for the caches that take any Keyv. */
type OpenKeyv = (folder: string) => Promise<Keyv>

/** Over our store. */
export const keyvOverOurs: OpenKeyv = async folder => {
  const { KeyvAdapter } = await import('@millrace/cache-core/keyv')
  const { SqliteStore } = await import('@millrace/cache-core/sqlite')
  const { Keyv } = await import('keyv-5')
  const store = new KeyvAdapter(new SqliteStore({ path: join(folder, 'cache.db') }))
  return new Keyv({ store, ttl })
}

/** Over the store that comes with Keyv, in the mode in which it is quickest. */
export const keyvOverTheirs: OpenKeyv = async folder => {
  const { KeyvSqlite } = await import('@keyv/sqlite')
  const { Keyv } = await import('keyv-5')
  const sqlite = new KeyvSqlite({ uri: `sqlite://${join(folder, 'cache.db')}`, wal: true })
  await sqlite.ready
  // The caches come with a Keyv that hands its stores the time a value has, and this store takes the time of its end.
  const store: KeyvStoreAdapter = {
    opts: undefined,
    on: () => store,
    get: <Value>(key: string) => sqlite.get(key) as Promise<StoredData<Value>>,
    set: (key, value, left) =>
      sqlite.set(key, value, left === undefined ? undefined : Date.now() + left),
    delete: key => sqlite.delete(key),
    clear: () => sqlite.clear(),
    disconnect: () => sqlite.disconnect(),
  }
  return new Keyv({ store, ttl })
}

export const cacheable =
  (openSecond: OpenKeyv): Open =>
  async folder => {
    const secondary = await openSecond(folder)
    const { Cacheable, KeyvCacheableMemory } = await import('cacheable')
    const { Keyv } = await import('keyv-5')
    const primary = new Keyv({ store: new KeyvCacheableMemory({ lruSize: IN_MEMORY, ttl }) })
    const cache = new Cacheable({ primary, secondary, ttl, nonBlocking: true })
    return {
      read: (key, load) => cache.getOrSet(key, load, { ttl }),
      write: (key, value) => cache.set(key, value, ttl),
      remove: key => cache.delete(key),
      close: () => secondary.disconnect(),
    }
  }

export const cacheManager =
  (openSecond: OpenKeyv): Open =>
  async folder => {
    const second = await openSecond(folder)
    const { createCache } = await import('cache-manager')
    const { KeyvCacheableMemory } = await import('cacheable')
    const { Keyv } = await import('keyv-5')
    const first = new Keyv({ store: new KeyvCacheableMemory({ lruSize: IN_MEMORY, ttl }) })
    const cache = createCache({ stores: [first, second], ttl, nonBlocking: true })
    return {
      read: (key, load) => cache.wrap(key, load, ttl),
      write: (key, value) => cache.set(key, value, ttl),
      remove: key => cache.del(key),
      close: () => second.disconnect(),
    }
  }

/** Keys by Zipf's law, the same ones in every round. */
function zipf(count: number): (draw: number) => number {
  const cumulative = new Float64Array(count)
  let sum = 0
  for (let rank = 0; rank < count; rank++) cumulative[rank] = sum += 1 / (rank + 1)
  return draw => {
    const at = draw * sum
    let [low, high] = [0, count - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (cumulative[middle]! > at) high = middle
      else low = middle + 1
    }
    return low
  }
}

/** One operation is a read, a write or a removal. How many answers were wrong. */
export function mixed(open: Open): Prepare<number> {
  return async ({ quick }) => {
    const { folder, remove } = await scratch()
    const cache = await open(folder)
    const pick = zipf(KEYS)
    const operations = quick ? 2_000 : 10_000
    let state = 12_345
    const random = (): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return state / 2 ** 32
    }
    const stored = new Set<string>()
    let spare = 0
    const step = async (): Promise<number> => {
      const key = `user:${pick(random())}`
      const value = `value of ${key} `.repeat(8)
      const draw = random()
      if (draw < 0.04) {
        await cache.write(key, value)
        stored.add(key)
      } else if (draw < 0.05) {
        await cache.remove(key)
        stored.delete(key)
      } else {
        const load = async (): Promise<string> => {
          if (stored.has(key)) spare++
          stored.add(key)
          return value
        }
        if ((await cache.read(key, load)) !== value) return 1
      }
      return 0
    }
    for (let i = 0; i < WARM_UP; i++) await step()
    return {
      operations,
      async run() {
        let wrong = 0
        spare = 0
        for (let i = 0; i < operations; i++) wrong += await step()
        // Who does not read the second tier is no contender.
        assert.ok(spare < operations / 100, `${spare} loads of what is stored`)
        return wrong
      },
      async close() {
        await cache.close()
        await remove()
      },
    }
  }
}

export function checkMixed(wrong: number): void {
  assert.equal(wrong, 0)
}

/** One operation is one caller. Loads per key. */
export function atOnce(open: Open): Prepare<number> {
  return async ({ quick }) => {
    const { folder, remove } = await scratch()
    const cache = await open(folder)
    const callers = Array.from({ length: 128 })
    const keys = quick ? 20 : 50
    let round = 0
    return {
      operations: keys * callers.length,
      async run() {
        let loads = 0
        for (let i = 0; i < keys; i++) {
          const key = `key:${round++}`
          const load = async (): Promise<string> => {
            loads++
            return key
          }
          const answers = await Promise.all(callers.map(() => cache.read(key, load)))
          for (const answer of answers) assert.equal(answer, key)
        }
        return loads / keys
      },
      async close() {
        await cache.close()
        await remove()
      },
    }
  }
}

/** One operation is one value, the opening included. How many were found. */
export function coldStart(open: Open): Prepare<number> {
  return async () => {
    const { folder, remove } = await scratch()
    const keys = Array.from({ length: 1_000 }, (_, index) => `user:${index}`)
    const filling = await open(folder)
    for (const key of keys) await filling.write(key, `value of ${key} `.repeat(8))
    await filling.close()
    return {
      operations: keys.length,
      async run() {
        const cache = await open(folder)
        let found = keys.length
        const load = async (): Promise<string> => {
          found--
          return 'loaded'
        }
        for (const key of keys) await cache.read(key, load)
        await cache.close()
        return found
      },
      close: remove,
    }
  }
}

export async function millraceL1(): Promise<LoadingCache> {
  const { TieredCache } = await import('@millrace/cache-core/tiered')
  const { MemoryStore } = await import('@millrace/cache-core/memory')
  const cache = new TieredCache<number>({ store: new MemoryStore(), maxEntries: 10_000 })
  const load = async (): Promise<number> => {
    throw new Error('The value is in the cache')
  }
  return { read: key => cache.getOrLoad(key, load), fill: (key, value) => cache.set(key, value) }
}

/** The least that any cache costs whose verb is asynchronous: a promise that is there already, of a map. */
export async function mapOfPromises(): Promise<LoadingCache> {
  const values = new Map<string, Promise<number>>()
  return {
    read: key => values.get(key)!,
    fill: (key, value) => values.set(key, Promise.resolve(value)),
  }
}

/** Entries for which there is memory. */
const AFFORDABLE = 500

/** One operation is a read, and a write where that misses. Entries held at the end. */
export function underPressure(pressed: boolean): Prepare<number> {
  return async ({ quick }) => {
    const { Cache } = await import('@millrace/cache-core')
    const { memoryPressure } = await import('@millrace/cache-core/size')
    // As of a heap that the cache itself fills: halved at a check, it is given its limits back by the next one.
    const usage = (): number => (cache.size > AFFORDABLE ? 0.75 : 0.5)
    const cache = new Cache<string, number>(
      pressed
        ? {
            maxEntries: 2 * AFFORDABLE,
            memoryPressure: memoryPressure({ interval: 1, usage, shrinkAt: 0.7, stopAt: 0.9 }),
          }
        : { maxEntries: AFFORDABLE },
    )
    const pick = zipf(KEYS)
    const keys = Array.from({ length: KEYS }, (_, index) => `user:${index}`)
    const rounds = quick ? 20 : 50
    return {
      operations: rounds * 1_000,
      async run() {
        for (let round = 0; round < rounds; round++) {
          for (let i = 0; i < 1_000; i++) {
            const key = keys[pick(((i * 7_919) % 1_000) / 1_000)]!
            if (cache.get(key) === undefined) cache.set(key, i)
          }
          // Lets the pressure be looked at.
          await new Promise(resolve => setImmediate(resolve))
        }
        return cache.size
      },
      close: () => cache.close(),
    }
  }
}
