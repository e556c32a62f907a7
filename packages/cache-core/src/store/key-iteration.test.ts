import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KeyvStorage } from '../keyv/keyv-storage.ts'
import { KeyvStore } from '../keyv/keyv-store.ts'
import { LayeredStore } from '../tiered/layered/layered-store.ts'
import { TieredCache } from '../tiered/tiered-cache.ts'
import type { Store } from './contract/store.ts'
import { FsStore } from './fs/fs-store.ts'
import { MemoryStore } from './memory/memory-store.ts'
import { SqliteStore } from './sqlite/sqlite-store.ts'

/** An adapter whose iterator meets what is written while it runs, as that of a `Map` does. */
function liveAdapter(): KeyvStorage {
  const held = new Map<string, string>()
  return {
    get: async key => held.get(key),
    set: async (key, value) => held.set(key, value),
    delete: async key => held.delete(key),
    clear: async () => held.clear(),
    async *iterator() {
      yield* held
    },
  }
}

const kinds: Record<string, (place: string) => Store<number>> = {
  memory: () => new MemoryStore(),
  fs: place => new FsStore({ folder: place }),
  sqlite: place => new SqliteStore({ path: join(place, 'cache.db') }),
  layered: place =>
    new LayeredStore({
      near: new MemoryStore(),
      far: new SqliteStore({ path: join(place, 'far.db') }),
    }),
  keyv: () => new KeyvStore(liveAdapter()),
}

describe.each(Object.entries(kinds))('the keys of a %s store', (_, open) => {
  let place: string
  let store: Store<number>
  beforeEach(async () => {
    place = await mkdtemp(join(tmpdir(), 'millrace-keys-'))
    store = open(place)
  })
  afterEach(async () => {
    await store.close()
    await rm(place, { recursive: true })
  })

  /** More than are read at a time, and names behind them in any order. */
  const COUNT = 1_001
  const nameOf = (i: number): string => `k${`${i}`.padStart(4, '0')}`
  const behind = (i: number): string => `z${`${i}`.padStart(6, '0')}`

  test('end for a loop that writes, and are all that were there and stay', async () => {
    const names = Array.from({ length: COUNT }, (_, i) => nameOf(i))
    await store.setMany(names.map(key => ({ key, value: 1 })))
    const met = new Set<string>()
    let steps = 0
    for await (const key of store.keys()) {
      met.add(key)
      await store.set(behind(steps), 1)
      // Written again, or deleted before its turn.
      await store.set(names[0]!, 2)
      if (steps === 0) await store.delete(key === names.at(-1) ? names[1]! : names.at(-1)!)
      if (++steps > 2 * COUNT) break
    }
    expect(steps).toBeLessThanOrEqual(COUNT + 1)
    const there = await store.getMany(names)
    for (const [i, name] of names.entries()) if (there[i] !== undefined) expect(met).toContain(name)
  })

  test('so do the entries of a cache over it', async () => {
    await using cache = new TieredCache({ store, storeTimeout: 60_000 })
    await cache.setMany(Array.from({ length: COUNT }, (_, i) => [nameOf(i), i]))
    let steps = 0
    for await (const _ of cache.entries()) {
      await cache.set(behind(steps), 1)
      if (++steps > 2 * COUNT) break
    }
    expect(steps).toBeLessThanOrEqual(COUNT + 1)
  })
})
