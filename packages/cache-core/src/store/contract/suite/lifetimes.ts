import { deepEqual, equal, partialDeepStrictEqual, rejects } from 'node:assert/strict'
import type { Store } from '../store.ts'
import { type StoreSuite, sortedKeys, valueAt } from './store-suite.ts'

/** What time does to values. */
export function lifetimeTests(suite: StoreSuite): void {
  timedTest(suite, 'a value is gone after its ttl', async (store, unit, advance) => {
    await store.set('short', 1, { ttl: 3 * unit })
    await store.set('long', 2, { ttl: 3_000 * unit })
    equal(await valueAt(store, 'short'), 1)
    await advance(4 * unit)
    equal(await store.get('short'), undefined)
    equal(await valueAt(store, 'long'), 2)
    deepEqual(await sortedKeys(store), ['long'])
    equal(await store.delete('short'), false)
  })

  timedTest(
    suite,
    'a retained value is returned stale, then gone',
    async (store, unit, advance) => {
      await store.set('key', 1, { ttl: 3 * unit, retention: 6 * unit })
      const { expires, retained } = (await store.get('key'))!
      equal(retained - expires, 6 * unit)
      await advance(4 * unit)
      const stale = (await store.get('key'))!
      partialDeepStrictEqual(stale, { value: 1, expires })
      if (stale.at !== undefined) equal(stale.at >= expires, true)
      await advance(6 * unit)
      equal(await store.get('key'), undefined)
    },
  )

  timedTest(suite, 'a set begins a new life', async (store, unit, advance) => {
    await store.set('key', 1, { ttl: 3 * unit })
    await store.set('key', 2)
    await advance(4 * unit)
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

type TimedBody = (
  store: Store<unknown>,
  unit: number,
  advance: (ms: number) => Promise<void>,
) => Promise<void>

/**
 * A test whose lifetimes are multiples of a unit. A store may live in real time, where a machine that stalls outlives a value between
 * two calls: a failure counts if no more time passed than was asked for and two units, else the body runs again with a longer unit.
 */
function timedTest(suite: StoreSuite, name: string, body: TimedBody): void {
  suite.test(name, async (store, fixture) => {
    for (let unit = 20; ; unit *= 3) {
      const start = performance.now()
      let advanced = 0
      try {
        await body(store, unit, async ms => {
          advanced += ms
          await fixture.advance(ms)
        })
        return
      } catch (error) {
        const late = performance.now() - start - advanced
        if (late <= 2 * unit || unit > 2_000) throw error
      }
    }
  })
}
