import { deepEqual, equal, ok, partialDeepStrictEqual } from 'node:assert/strict'
import type { Fence, Store } from '../store.ts'
import { type StoreSuite, valueAt } from './store-suite.ts'

const invalidations: Record<string, (store: Store<unknown>) => Promise<unknown>> = {
  'delete of the key': store => store.delete('key'),
  'deleteMany of the key': store => store.deleteMany(['other', 'key']),
  'expire of the key': store => store.expire('key'),
  'expireMany of the key': store => store.expireMany(['other', 'key']),
  'deleteTag of a tag': store => store.deleteTag('t1'),
  'expireTag of a tag': store => store.expireTag('t2'),
  clear: store => store.clear(),
  'clear to stale': store => store.clear({ expire: true }),
}

const writes: Record<string, (store: Store<unknown>, key: string) => Promise<unknown>> = {
  set: (store, key) => store.set(key, 'written', { tags: ['t1'] }),
  setMany: (store, key) => store.setMany([{ key, value: 'written', tags: ['t1'] }]),
}

const fencings: Record<string, (store: Store<unknown>) => Promise<Fence>> = {
  fence: store => store.fence(),
  lookup: async store => (await store.lookup(['key'])).fence,
}

function tagged(fence: Fence): { fence: Fence; tags: string[] } {
  return { fence, tags: ['t1', 't2'] }
}

/** Whether a read returns the value as if it were good. */
async function served(store: Store<unknown>): Promise<boolean> {
  const entry = await store.get('key')
  return entry !== undefined && entry.expires > 0 && entry.value === 'loaded'
}

/** The part of the contract that keeps out what was overtaken: by an invalidation, by a write, by a later load. */
export function fenceTests(suite: StoreSuite): void {
  for (const [what, invalidate] of Object.entries(invalidations)) {
    for (const [by, take] of Object.entries(fencings)) {
      for (const present of [true, false]) {
        const before = present ? 'present' : 'absent'
        suite.test(
          `a value computed across a ${what} is never served (by ${by}, ${before} before)`,
          async store => {
            if (present) await store.set('key', 'before', { tags: ['t1', 't2'] })
            const fence = await take(store)
            await invalidate(store)
            await store.set('key', 'loaded', tagged(fence))
            equal(await served(store), false)
            const again = await take(store)
            equal(await store.set('key', 'loaded', tagged(again)), true)
            equal(await served(store), true)
          },
        )
      }
    }

    suite.test(`a value stored before a ${what} is not served after it`, async store => {
      await store.set('key', 'loaded', tagged(await store.fence()))
      equal(await served(store), true)
      await invalidate(store)
      equal(await served(store), false)
    })
  }

  suite.test('a lookup is what getMany and fence return', async store => {
    await store.set('a', 1, { tags: ['t'] })
    const { entries, fence } = await store.lookup(['none', 'a'])
    equal(entries.length, 2)
    equal(entries[0], undefined)
    partialDeepStrictEqual(entries[1], { value: 1, expires: Infinity, tags: ['t'] })
    equal(fence.epoch, (await store.fence()).epoch)
    partialDeepStrictEqual(store.stats(), { hits: 1, misses: 1 })
  })

  suite.test('what concerns others does not outdate a fence', async store => {
    const fence = await store.fence()
    await store.delete('other')
    await store.expireTag('t3')
    equal(await store.set('key', 'loaded', tagged(fence)), true)
    equal(await served(store), true)
  })

  suite.test('a value loaded earlier does not replace one loaded later', async store => {
    const early = await store.fence()
    await store.deleteTag('unrelated')
    await store.set('key', 'late', { fence: await store.fence() })
    equal(await store.set('key', 'early', { fence: early }), false)
    equal(await valueAt(store, 'key'), 'late')
  })

  suite.test('a refused set is counted and leaves what is stored', async store => {
    const fence = await store.fence()
    await store.delete('key')
    await store.set('key', 'good')
    const before = store.stats().refused
    deepEqual(await store.setMany([{ key: 'key', value: 'bad', fence }]), [false])
    equal(await valueAt(store, 'key'), 'good')
    equal(store.stats().refused, before + 1)
  })

  for (const [what, write] of Object.entries(writes)) {
    suite.test(
      `a value computed across a ${what} of its key does not replace what that wrote`,
      async store => {
        for (const present of [false, true]) {
          const key = `written ${present}`
          if (present) await store.set(key, 'before')
          const fence = await store.fence()
          await write(store, key)
          equal(await store.set(key, 'loaded', tagged(fence)), false)
          partialDeepStrictEqual(await store.get(key), { value: 'written', expires: Infinity })
          // Not even when what was written has gone by itself.
          await store.deleteTag('t1')
          equal(await store.get(key), undefined)
          equal(await store.set(key, 'loaded', { fence }), false)
          equal(await store.set(key, 'again', { fence: await store.fence() }), true)
        }
      },
    )
  }

  suite.test('reads during writes get the old value or the new one, never none', async store => {
    await store.set('key', -1)
    const reads: Promise<unknown>[] = []
    const sets: Promise<boolean>[] = []
    for (let value = 0; value < 50; value++) {
      sets.push(store.set('key', value))
      reads.push(valueAt(store, 'key'))
    }
    ok(!(await Promise.all(sets)).includes(false))
    ok(!(await Promise.all(reads)).includes(undefined))
  })
}
