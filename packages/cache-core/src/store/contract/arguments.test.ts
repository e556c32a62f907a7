import { deepEqual, equal, rejects } from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KeyvMemoryAdapter } from 'keyv'
import { afterAll, describe, test } from 'vitest'
import { KeyvStore } from '../../keyv/keyv-store.ts'
import { LayeredStore } from '../../tiered/layered-store.ts'
import { FsStore } from '../fs/fs-store.ts'
import { MemoryStore } from '../memory/memory-store.ts'
import { SqliteStore } from '../sqlite/sqlite-store.ts'
import type { Store } from './store.ts'
import { sortedKeys, valueAt } from './suite/store-suite.ts'

const refusal = { code: 'ERR_MILLRACE_INVALID_OPTION' }

/** Calls of a store, some of which the interface does not allow. */
type Calls = { readonly [name in keyof Store<unknown>]: (...args: unknown[]) => Promise<unknown> }

const notNames = [undefined, null, 5, {}, ['a'], Symbol('a')]
const notNameLists = [undefined, null, 5, 'a', {}, new Set(['a'])]
const notOptions = [null, 5, 'signal', ['signal']]

const place = await mkdtemp(join(tmpdir(), 'millrace-arguments-'))
afterAll(() => rm(place, { recursive: true }))

const stores: Record<string, () => Store<unknown>> = {
  memory: () => new MemoryStore(),
  sqlite: () => new SqliteStore({ path: ':memory:' }),
  fs: () => new FsStore({ folder: join(place, `${Math.random()}`) }),
  keyv: () => new KeyvStore(new KeyvMemoryAdapter(new Map())),
  layered: () => new LayeredStore({ near: new MemoryStore(), far: new MemoryStore() }),
}

describe.each(Object.entries(stores))('what a %s store is given', (_, open) => {
  test('keys and tags that are no strings are refused', async () => {
    await using store = open()
    const calls = store as unknown as Calls
    await store.set('a', 1)
    for (const name of notNames) {
      const each: Promise<unknown>[] = [
        calls.get(name),
        calls.getMany(['a', name]),
        calls.lookup(['a', name]),
        calls.set(name, 2),
        calls.setMany([
          { key: 'a', value: 2 },
          { key: name, value: 2 },
        ]),
        calls.delete(name),
        calls.deleteMany(['a', name]),
        calls.expire(name),
        calls.expireMany(['a', name]),
        calls.deleteTag(name),
        calls.expireTag(name),
        calls.set('a', 2, { tags: [name] }),
        calls.setMany([{ key: 'a', value: 2, tags: ['t', name] }]),
      ]
      for (const call of each) await rejects(call, refusal)
    }
    for (const list of notNameLists) {
      const each: Promise<unknown>[] = [
        calls.getMany(list),
        calls.lookup(list),
        calls.setMany(list),
        calls.deleteMany(list),
        calls.expireMany(list),
      ]
      if (list !== undefined) each.push(calls.set('a', 2, { tags: list }))
      for (const call of each) await rejects(call, refusal)
    }
    equal(await valueAt(store, 'a'), 1)
    deepEqual(await sortedKeys(store), ['a'])
  })

  test('options that do not exist, or are none, are refused', async () => {
    await using store = open()
    const calls = store as unknown as Calls
    await store.set('a', 1)
    for (const options of [...notOptions, { sginal: undefined }, { signal: {} }]) {
      const each: Promise<unknown>[] = [
        calls.fence(options),
        calls.get('a', options),
        calls.getMany(['a'], options),
        calls.lookup(['a'], options),
        calls.set('a', 2, options),
        calls.setMany([{ key: 'a', value: 2 }], options),
        calls.delete('a', options),
        calls.deleteMany(['a'], options),
        calls.expire('a', options),
        calls.expireMany(['a'], options),
        calls.deleteTag('t', options),
        calls.expireTag('t', options),
        calls.clear(options),
        sortedKeysOf(store, options),
      ]
      for (const call of each) await rejects(call, refusal)
    }
    for (const options of [{ ttl: 0 }, { ttl: '1' }, { retention: -1 }, { tll: 5 }, { fence: 5 }]) {
      await rejects(calls.set('a', 2, options), refusal)
      const items = [
        { key: 'b', value: 2 },
        { key: 'a', value: 2, ...options },
      ]
      await rejects(calls.setMany(items), refusal)
    }
    equal(await valueAt(store, 'a'), 1)
    deepEqual(await sortedKeys(store), ['a'])
  })

  test('options that are undefined count as absent', async () => {
    await using store = open()
    const none = { ttl: undefined, retention: undefined, tags: undefined, fence: undefined }
    equal(await store.set('a', 1, { ...none, signal: undefined }), true)
    deepEqual(await store.setMany([{ key: 'b', value: 1, ...none }], undefined), [true])
    equal(await store.delete('a', { signal: undefined }), true)
    deepEqual(await sortedKeys(store, undefined), ['b'])
    await store.clear({ expire: undefined })
    deepEqual(await sortedKeys(store), [])
  })
})

async function sortedKeysOf(store: Store<unknown>, options: unknown): Promise<void> {
  for await (const _ of store.keys(options as { prefix?: string })) {
    // Reading begins the search.
  }
}
