import { join } from 'node:path'
import { Cache, type CacheOptions } from '@millrace/cache-core'
import { FsStore } from '@millrace/cache-core/fs'
import { KeyvAdapter, KeyvStore } from '@millrace/cache-core/keyv'
import { MemoryStore } from '@millrace/cache-core/memory'
import { ProtectedCache } from '@millrace/cache-core/protect'
import { SqliteStore } from '@millrace/cache-core/sqlite'
import type { Fence, Store } from '@millrace/cache-core/store'
import { LayeredStore, TieredCache } from '@millrace/cache-core/tiered'
import { Views } from '@millrace/cache-core/views'
import { VirtualClock } from '@millrace/testkit'
import type { Subject } from './walk.fixture.ts'

const refuse = (): never => {
  throw new Error('no such user')
}

/** Reads, writes, evictions and losses of a store. */
export function storeSubject(store: Store<string>): Subject {
  return {
    source: store,
    steps: [
      () => store.set('a', 'one', { tags: ['t'] }),
      () =>
        store.setMany(
          Array.from({ length: 40 }, (_, i) => ({ key: `${i}`, value: 'x'.repeat(200) })),
        ),
      () => store.get('a'),
      () => store.getMany(['a', 'none']),
      () => store.deleteTag('t'),
      () => store.get('a'),
      async () => store.set('late', 'old', { fence: await staleFence(store) }),
      () => store.delete('1'),
      () => store.clear(),
      () => store.get('2'),
    ],
  }
}

/** A fence that is older than an invalidation. */
async function staleFence(store: Store<string>): Promise<Fence> {
  const fence = await store.fence()
  await store.clear()
  return fence
}

/** Hits, loads, expiries and evictions of a cache in process. */
function cacheSubject(
  Kind: new (options: CacheOptions<string, string>) => Cache<string, string>,
): Subject {
  const clock = new VirtualClock()
  const cache = new Kind({
    maxEntries: 4,
    ttl: 1_000,
    maxBytes: 40,
    weigher: value => value.length,
    clock,
  })
  let finish = (): void => undefined
  let loading: Promise<unknown> = Promise.resolve()
  return {
    source: cache,
    steps: [
      () => {
        for (const key of 'abcdef') cache.set(key, key)
      },
      () => cache.get('f'),
      () => {
        loading = cache.getOrLoad(
          'slow',
          () =>
            new Promise(resolve => {
              finish = () => resolve('done')
            }),
        )
      },
      () => {
        clock.advance(20)
        finish()
        return loading
      },
      () => cache.getOrLoad('bad', refuse).catch(() => undefined),
      () => cache.set('heavy', 'x'.repeat(100)),
      () => {
        for (const key of 'uvwxyz') cache.get(key)
      },
      () => {
        clock.advance(2_000)
        cache.get('f')
      },
      () => cache.clear(),
    ],
  }
}

/** @param folder for files, which is there */
export function cacheSubjects(folder: string): Record<string, Subject> {
  const clock = new VirtualClock()
  const views = new Views({ maxEntries: 4 })
  const view = views.view<string, string>('users')
  const memory = new MemoryStore<string>({ maxBytes: 4_000 })
  const tiered = new TieredCache<string>({ store: new MemoryStore<string>(), maxEntries: 4, clock })
  return {
    Cache: cacheSubject(Cache),
    ProtectedCache: cacheSubject(ProtectedCache),
    Views: {
      source: views,
      steps: [
        () => view.set('a', 'one'),
        () => view.get('a'),
        () => view.getOrLoad('b', async () => 'two'),
        () => view.get('none'),
        () => view.get('none'),
        () => views.clear(),
      ],
    },
    TieredCache: {
      source: tiered,
      steps: [
        () =>
          tiered.getOrLoad(
            'a',
            async () => {
              clock.advance(5)
              return 'one'
            },
            { tags: ['t'] },
          ),
        () => tiered.getOrLoad('a', async () => 'two'),
        () => tiered.getOrLoad('bad', refuse).catch(() => undefined),
        () => tiered.deleteTag('t'),
        () => tiered.getOrLoad('a', async () => 'three'),
        () => tiered.clear(),
        () => tiered.close(),
      ],
    },
    MemoryStore: storeSubject(memory),
    KeyvStore: storeSubject(new KeyvStore<string>(new KeyvAdapter(new MemoryStore()))),
    LayeredStore: storeSubject(
      new LayeredStore<string>({
        near: new MemoryStore({ maxBytes: 4_000 }),
        far: new MemoryStore({ maxBytes: 4_000 }),
      }),
    ),
    FsStore: storeSubject(new FsStore<string>({ folder: join(folder, 'fs') })),
    SqliteStore: storeSubject(
      new SqliteStore<string>({ path: join(folder, 'values.sqlite'), maxBytes: 4_000 }),
    ),
  }
}
