import { deepEqual, equal, partialDeepStrictEqual, rejects } from 'node:assert/strict'
import { type StoreSuite, sortedKeys, valueAt } from './store-suite.ts'

/** What time does to values. */
export function lifetimeTests(suite: StoreSuite): void {
  suite.test('a value is gone after its ttl', async (store, { advance }) => {
    await store.set('short', 1, { ttl: 60 })
    await store.set('long', 2, { ttl: 60_000 })
    equal(await valueAt(store, 'short'), 1)
    await advance(80)
    equal(await store.get('short'), undefined)
    equal(await valueAt(store, 'long'), 2)
    deepEqual(await sortedKeys(store), ['long'])
    equal(await store.delete('short'), false)
  })

  suite.test('a retained value is returned stale, then gone', async (store, { advance }) => {
    await store.set('key', 1, { ttl: 60, retention: 120 })
    const { expires, retained } = (await store.get('key'))!
    equal(retained - expires, 120)
    await advance(80)
    const stale = (await store.get('key'))!
    partialDeepStrictEqual(stale, { value: 1, expires })
    if (stale.at !== undefined) equal(stale.at >= expires, true)
    await advance(120)
    equal(await store.get('key'), undefined)
  })

  suite.test('a set begins a new life', async (store, { advance }) => {
    await store.set('key', 1, { ttl: 60 })
    await store.set('key', 2)
    await advance(80)
    partialDeepStrictEqual(await store.get('key'), { value: 2, expires: Infinity })
  })

  for (const ttl of [0, -1, Number.NaN]) {
    suite.test(`a ttl of ${ttl} is refused`, async store => {
      await rejects(store.set('key', 1, { ttl }), {
        code: 'ERR_MILLRACE_INVALID_OPTION',
        option: 'ttl',
      })
      await rejects(store.set('key', 1, { retention: -1 }), { option: 'retention' })
      equal(await store.get('key'), undefined)
    })
  }
}
