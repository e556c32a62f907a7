import { deepEqual, equal, rejects } from 'node:assert/strict'
import type { Store, StoreEntry } from '../store.ts'
import { type StoreSuite, sortedKeys, valueAt } from './store-suite.ts'

const refusal = { code: 'ERR_MILLRACE_INVALID_OPTION' }

/** Calls of a store, some of which the interface does not allow. */
type Calls = { readonly [name in keyof Store<unknown>]: (...args: unknown[]) => Promise<unknown> }

const notNames = [undefined, null, 5, {}, ['a'], Symbol('a')]
const notNameLists = [undefined, null, 5, 'a', {}, new Set(['a']), new Array(1)]
const notOptions = [null, 5, 'signal', ['signal']]
const notSignals = [5, {}, 'abort', new Event('abort'), new EventTarget()]
const notFences = [
  5,
  'epoch',
  true,
  {},
  Promise.resolve({ epoch: 1, at: 1 }),
  { epoch: '1', at: 1 },
]

/** What calls are given: what is not allowed is refused before anything is read or changed. */
export function argumentTests(suite: StoreSuite): void {
  suite.test('keys and tags that are no strings are refused', async store => {
    const calls = store as unknown as Calls
    await store.set('a', 1)
    for (const name of notNames) {
      const each: Promise<unknown>[] = [
        calls.get(name),
        calls.getMany(['a', name]),
        calls.lookup(['a', name]),
        calls.lookup([name]),
        calls.set(name, 2),
        calls.setMany([{ key: name, value: 2 }]),
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

  suite.test('options that do not exist, or are none, are refused', async store => {
    const calls = store as unknown as Calls
    await store.set('a', 1)
    const signals = notSignals.map(signal => ({ signal }))
    for (const options of [...notOptions, { sginal: undefined }, { signal: null }, ...signals]) {
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
        search(store, options),
      ]
      for (const call of each) await rejects(call, refusal)
    }
    for (const expire of [5, 'yes', {}]) await rejects(calls.clear({ expire }), refusal)
    for (const prefix of [5, {}, ['a']]) await rejects(search(store, { prefix }), refusal)
    const fences = notFences.map(fence => ({ fence }))
    const bounds = [{ ttl: 0 }, { ttl: '1' }, { retention: -1 }, { tll: 5 }, { fence: null }]
    for (const options of [...bounds, ...fences]) {
      await rejects(calls.set('a', 2, options), refusal)
      await rejects(calls.setMany([{ key: 'a', value: 2, ...options }]), refusal)
      const items = [
        { key: 'b', value: 2 },
        { key: 'a', value: 2, ...options },
      ]
      await rejects(calls.setMany(items), refusal)
    }
    equal(await valueAt(store, 'a'), 1)
    deepEqual(await sortedKeys(store), ['a'])
  })

  suite.test('options that are undefined count as absent', async store => {
    const none = { ttl: undefined, retention: undefined, tags: undefined, fence: undefined }
    equal(await store.set('a', 1, { ...none, signal: undefined }), true)
    deepEqual(await store.setMany([{ key: 'b', value: 1, ...none }], undefined), [true])
    equal(await store.delete('a', { signal: undefined }), true)
    deepEqual(await sortedKeys(store, undefined), ['b'])
    await store.clear({ expire: undefined })
    deepEqual(await sortedKeys(store), [])
  })

  suite.test('what a fence of another store guards is refused, alone', async store => {
    await store.set('a', 1)
    const { at } = await store.fence()
    for (const epoch of [Number.MAX_SAFE_INTEGER, -1]) {
      const fence = { epoch, at }
      equal(await store.set('a', 2, { fence }), false)
      deepEqual(await store.setMany([{ key: 'a', value: 2, fence }]), [false])
      const items = [
        { key: 'b', value: epoch },
        { key: 'a', value: 2, fence },
      ]
      deepEqual(await store.setMany(items), [true, false])
      equal(await valueAt(store, 'b'), epoch)
    }
    equal(await valueAt(store, 'a'), 1)
  })

  suite.test('lists may be changed while a call lasts', async store => {
    const change = (list: unknown[]) => list.splice(0, list.length, 'other', 'more')
    const items: { key: string; value: unknown }[] = ['a', 'b'].map(key => ({ key, value: key }))
    const set = store.setMany(items)
    change(items)
    deepEqual(await set, [true, true])
    /** What comes of a call whose keys are changed as soon as it was made. */
    const changed = async <T>(act: (keys: string[]) => Promise<T>): Promise<T> => {
      const keys = ['a', 'b']
      const call = act(keys)
      change(keys)
      return call
    }
    const values = (entries: readonly (StoreEntry<unknown> | undefined)[]) =>
      entries.map(entry => entry?.value)
    deepEqual(values(await changed(keys => store.getMany(keys))), ['a', 'b'])
    deepEqual(values((await changed(keys => store.lookup(keys))).entries), ['a', 'b'])
    equal(await changed(keys => store.expireMany(keys)), 2)
    equal(await changed(keys => store.deleteMany(keys)), 2)
    deepEqual(await store.getMany(['a', 'b']), [undefined, undefined])
  })
}

async function search(store: Store<unknown>, options: unknown): Promise<void> {
  for await (const _ of store.keys(options as { prefix?: string })) {
    // Reading begins the search.
  }
}
