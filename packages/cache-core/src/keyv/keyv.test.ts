import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite'
import { runs, VirtualClock } from '@millrace/testkit'
import Keyv, { KeyvMemoryAdapter } from 'keyv'
import Keyv5, { type KeyvStoreAdapter } from 'keyv-5'
import * as vitest from 'vitest'
import { afterAll, describe, expect, test } from 'vitest'
import type { Store } from '../store/contract/store.ts'
import { storeContract } from '../store/contract/suite/store-contract.ts'
import { structuredCodec } from '../store/format/codec.ts'
import { FsStore } from '../store/fs/fs-store.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { SqliteStore } from '../store/sqlite/sqlite-store.ts'
import { TieredCache } from '../tiered/tiered-cache.ts'
import { KeyvAdapter } from './keyv-adapter.ts'
import type { KeyvStorage } from './keyv-storage.ts'
import { KeyvStore } from './keyv-store.ts'

const place = await mkdtemp(join(tmpdir(), 'millrace-keyv-'))
const stores: Record<string, Store<unknown>> = {
  memory: new MemoryStore(),
  sqlite: new SqliteStore({ path: join(place, 'cache.db') }),
  fs: new FsStore({ folder: join(place, 'cache') }),
}
afterAll(async () => {
  for (const store of Object.values(stores)) await store.close()
  await rm(place, { recursive: true })
})

describe.each(Object.entries(stores))('a %s store behind Keyv', (_, store) => {
  const adapter = () => new KeyvAdapter(store)

  // It has lifetimes of a second, in real time, which a machine that stalls outlives.
  describe('passes the test suite of Keyv', { retry: 2 }, () => {
    keyvTestSuite(vitest as never, Keyv5 as never, adapter as never)
    keyvIteratorTests(vitest as never, Keyv5 as never, adapter as never)
  })

  test.each([
    ['5', Keyv5 as unknown as typeof Keyv],
    ['6', Keyv],
  ])('namespaces of Keyv %s are apart, in all verbs', async (_, Version) => {
    await store.clear()
    const [one, two] = ['one', 'two'].map(
      namespace => new Version({ store: adapter(), namespace, throwOnErrors: true }),
    )
    for (const keyv of [one!, two!]) {
      await keyv.set('a', { of: keyv.namespace })
      await keyv.set('b', 1, 60_000)
    }
    expect(await one!.get('a')).toEqual({ of: 'one' })
    expect(await one!.get(['a', 'b', 'c'])).toEqual([{ of: 'one' }, 1, undefined])
    expect([await one!.has('a'), await one!.has('c')]).toEqual([true, false])
    expect([await one!.delete('b'), await one!.delete('c')]).toEqual([true, false])
    await one!.clear()
    expect(await one!.get('a')).toBe(undefined)
    expect(await two!.get(['a', 'b'])).toEqual([{ of: 'two' }, 1])
    const found: unknown[] = []
    for await (const [key, value] of (two!.iterator as () => AsyncIterable<unknown[]>)())
      found.push([key, value])
    expect(found.sort()).toEqual([
      ['a', { of: 'two' }],
      ['b', 1],
    ])
  })
})

test.each([
  ['5', Keyv5 as unknown as typeof Keyv],
  ['6', Keyv],
])('Keyv %s says and keeps the same with any lifetime as with a Map', async (_, Version) => {
  const outcomes = async (store: unknown) => {
    const keyv = new Version({ store, throwOnErrors: true } as never)
    const seen: unknown[] = []
    for (const ttl of [undefined, 60_000, Infinity, 0, NaN, -1, -Infinity]) {
      await keyv.set('k', 'before')
      const told = await keyv.set('k', 'value', ttl)
      const all = await keyv.setMany([{ key: 'm', value: 'value', ttl }] as never)
      seen.push([ttl, told, await keyv.get('k'), all, await keyv.get('m')])
    }
    return seen
  }
  expect(await outcomes(new KeyvAdapter(new MemoryStore()))).toEqual(await outcomes(new Map()))
})

test('a lifetime of 0 is as good as none, and one that is over deletes', async () => {
  const adapter = new KeyvAdapter(new MemoryStore())
  for (const ttl of [0, NaN, -Infinity]) {
    const value = `for ${ttl}`
    expect([await adapter.set('k', value, ttl), await adapter.get('k')]).toEqual([true, value])
    expect(await adapter.setMany([{ key: 'm', value, ttl }])).toEqual([true])
    expect(await adapter.get('m')).toBe(value)
  }
  expect([await adapter.set('k', 1, -1), await adapter.has('k')]).toEqual([true, false])
  expect(await adapter.setMany([{ key: 'm', value: 1, ttl: -1 }])).toEqual([true])
  expect(await adapter.has('m')).toBe(false)
})

test('a failure of the store is Keyv’s to tell', async () => {
  const store = new MemoryStore()
  const keyv = new Keyv({ store: new KeyvAdapter(store), throwOnErrors: true })
  await keyv.disconnect()
  await expect(keyv.get('k')).rejects.toMatchObject({ code: 'ERR_MILLRACE_STORE_CLOSED' })
  expect(() => new KeyvAdapter({} as never)).toThrow('a Store, with a method `get`')
  expect(() => new KeyvAdapter(store, { nameSpace: 'x' } as never)).toThrow('`namespace`')
})

storeContract('KeyvStore over an adapter of Keyv 6', {
  runner: { describe, test },
  modelRuns: runs(60),
  open: async () => {
    // An hour ahead of the system's, by which the adapter forgets: it would do so before this one is moved.
    const clock = new VirtualClock(Date.now() + 3_600_000)
    const storage = new KeyvMemoryAdapter(new Map())
    return {
      store: new KeyvStore(storage, { clock }),
      advance: ms => clock.advance(ms),
      remove: async () => undefined,
    }
  },
})

storeContract('KeyvStore over an adapter of Keyv 5', {
  runner: { describe, test },
  modelRuns: runs(20),
  open: async () => {
    const clock = new VirtualClock(Date.now())
    const storage = new KeyvAdapter(new MemoryStore({ clock }))
    return {
      store: new KeyvStore(storage, { clock }),
      advance: ms => clock.advance(ms),
      remove: async () => undefined,
    }
  },
})

describe('an adapter of Keyv under TieredCache', () => {
  test('is a second tier that two processes share, with tags and stale copies', async () => {
    const storage = new KeyvAdapter(new MemoryStore())
    const [here, there] = [1, 2].map(
      () =>
        new TieredCache<string>({
          store: new KeyvStore<string>(storage),
          ttl: 60_000,
          l1Ttl: 1,
          staleIfError: 60_000,
        }),
    )
    expect(await here!.getOrLoad('k', () => 'loaded', { tags: ['t'] })).toBe('loaded')
    expect(await there!.getOrLoad('k', () => 'never')).toBe('loaded')
    await here!.expireTag('t')
    const again = new TieredCache<string>({
      store: new KeyvStore<string>(storage),
      staleIfError: 60_000,
    })
    expect(await again.get('k')).toBe(undefined)
    expect(await again.getOrLoad('k', () => Promise.reject(new Error('down')))).toBe('loaded')
    await there!.deleteMatching('k*')
    expect(await new KeyvStore(storage).get('k')).toBe(undefined)
  })

  test('a load that another process invalidated is not stored, and damaged text is a counted miss', async () => {
    const storage = new KeyvAdapter(new MemoryStore())
    const clock = new VirtualClock()
    const [here, there] = [1, 2].map(() => new KeyvStore<string>(storage, { clock }))
    for (const verb of ['delete', 'expire', 'deleteTag', 'expireTag', 'clear'] as const) {
      const fence = await here!.fence()
      await there![verb](verb === 'clear' ? (undefined as never) : 'k')
      expect([verb, await here!.set('k', 'old', { fence, tags: ['k'] })]).toEqual([verb, false])
    }
    clock.advance(2)
    expect(await here!.set('k', 'new')).toBe(true)
    const text = (await storage.get<string>('value:k'))!
    await storage.set('value:k', text.replace(/.{8}$/, 'AAAAAAAA'))
    expect(await there!.get('k')).toBe(undefined)
    expect(there!.stats()).toMatchObject({ corrupt: 1, misses: 1 })
    await here!.set('k', 'new')
    const other = new KeyvStore<string>(storage, { clock, codec: structuredCodec as never })
    expect([await other.get('k'), other.stats().corrupt]).toEqual([undefined, 1])
    expect((await here!.get('k'))?.value).toBe('new')
  })

  test.each([
    ['everything', 'all'],
    ['a tag', 'tag:t'],
  ])('a damaged mark of %s is taken for an invalidation, and replaced', async (_, mark) => {
    const storage = new KeyvAdapter(new MemoryStore())
    const clock = new VirtualClock()
    const store = new KeyvStore<string>(storage, { clock })
    const fence = await store.fence()
    await store.set('k', 'old', { tags: ['t'] })
    for (const damaged of ['{"deleted":1', 'text', '{}', 5, { deleted: 'x' }]) {
      await storage.set(mark, damaged)
      expect(await store.get('k')).toBe(undefined)
      await nextTurn()
      expect(await store.set('k', 'late', { fence, tags: ['t'] })).toBe(false)
      clock.advance(2)
      expect(await store.set('k', 'new', { tags: ['t'] })).toBe(true)
      expect((await store.get('k'))?.value).toBe('new')
    }
    expect(store.stats().corrupt).toBeGreaterThanOrEqual(5)
  })
})

describe('an adapter that does not answer', () => {
  /** An adapter of which writes can be held up. */
  function hanging() {
    const held = new Map<string, string>()
    const state = { hangs: false, release: (): void => {} }
    const set = async (key: string, value: string) => {
      if (state.hangs) {
        const { promise, resolve } = Promise.withResolvers<void>()
        state.release = resolve
        await promise
      }
      held.set(key, value)
      return true
    }
    const storage: KeyvStorage = {
      get: async key => held.get(key),
      set,
      delete: async key => held.delete(key),
      clear: async () => held.clear(),
    }
    return { state, storage }
  }

  test('fails the call, holds up no later one, and what it writes too late is invalidated', async () => {
    const clock = new VirtualClock(Date.now())
    const { state, storage } = hanging()
    const store = new KeyvStore<string>(storage, { clock, timeout: 100 })
    const changes = [
      () => store.set('k', 'late', { tags: ['t'] }),
      () => store.delete('k'),
      () => store.deleteTag('t'),
      () => store.clear(),
    ]
    for (const change of changes) {
      state.hangs = true
      const call = change()
      const failed = expect(call).rejects.toMatchObject({ code: 'ERR_MILLRACE_STORE_TIMEOUT' })
      await clock.advanceAsync(100)
      await failed
      state.hangs = false
      expect(await store.set('k', 'newer', { tags: ['t'] })).toBe(true)
      expect((await store.get('k'))?.value).toBe('newer')
      state.release()
      await nextTurn()
      expect(await store.get('k')).toBe(undefined)
      clock.advance(2)
      expect(await store.set('k', 'newest', { tags: ['t'] })).toBe(true)
    }
    await store.close()
    expect(clock.pending).toBe(0)
  })

  test('or answers for some of the keys alone, fails', async () => {
    const storage = { ...hanging().storage, getMany: async () => [] }
    const store = new KeyvStore<string>(storage)
    await expect(store.get('k')).rejects.toThrow('for each of the keys')
  })
})

test('fits the types of both versions of Keyv', async () => {
  const storage = new KeyvAdapter(new MemoryStore())
  const six = new Keyv<string>(storage)
  await six.set('a', 'b')
  expect(await six.get('a')).toBe('b')
  expect(new Keyv5<string>(storage).store).toBe(storage)
  const five: KeyvStoreAdapter = storage
  expect(five.namespace).toBe('keyv')
})
