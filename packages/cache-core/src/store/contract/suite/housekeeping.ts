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
    // Not given as it is: `rejects` takes no error of another realm, as those of a test in Jest are.
    const isReason = (error: unknown): boolean => error === reason
    await rejects(store.get('a', { signal }), isReason)
    await rejects(store.lookup(['a'], { signal }), isReason)
    await rejects(store.set('a', 1, { signal }), isReason)
    await rejects(store.expireMany(['a'], { signal }), isReason)
    await rejects(store.clear({ signal }), isReason)
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
