import { equal, partialDeepStrictEqual, rejects } from 'node:assert/strict'
import type { StoreSuite } from './store-suite.ts'

/** Counters, signals and the end. */
export function housekeepingTests(suite: StoreSuite): void {
  suite.test('counts hits, misses, writes and deletes', async store => {
    await store.set('a', 1)
    await store.getMany(['a', 'a', 'none'])
    await store.delete('a')
    await store.delete('a')
    partialDeepStrictEqual(store.stats(), {
      hits: 2,
      misses: 1,
      writes: 1,
      deletes: 1,
      refused: 0,
      corrupt: 0,
    })
  })

  suite.test('an aborted signal rejects with its reason', async store => {
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    await rejects(store.get('a', { signal }), reason)
    await rejects(store.lookup(['a'], { signal }), reason)
    await rejects(store.set('a', 1, { signal }), reason)
    await rejects(store.expireMany(['a'], { signal }), reason)
    await rejects(store.clear({ signal }), reason)
    equal(await store.get('a'), undefined)
  })

  suite.test('a closed store rejects, and closes twice', async store => {
    await store.close()
    await store.close()
    const closed = { code: 'ERR_MILLRACE_STORE_CLOSED' }
    await rejects(store.get('a'), closed)
    await rejects(store.set('a', 1), closed)
    await rejects(store.lookup(['a']), closed)
  })
}
