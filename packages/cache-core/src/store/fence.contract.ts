import { beforeEach, describe, expect, test } from 'vitest'
import type { Fence, Store } from './store.ts'

/** The part of the contract that keeps what was overtaken out: by an invalidation, by a write, by a later load. */
export function fenceContract(opened: () => Store<unknown>): void {
  describe('the fence', () => {
    let store: Store<unknown>
    beforeEach(() => {
      store = opened()
    })

    const invalidations: Record<string, (store: Store<unknown>) => Promise<unknown>> = {
      'delete of the key': store => store.delete('key'),
      'deleteMany of the key': store => store.deleteMany(['other', 'key']),
      'expire of the key': store => store.expire('key'),
      'deleteTag of a tag': store => store.deleteTag('t1'),
      'expireTag of a tag': store => store.expireTag('t2'),
      clear: store => store.clear(),
      'clear to stale': store => store.clear({ expire: true }),
    }
    /** Whether a read returns the value as if it were good. */
    const served = async () => {
      const entry = await store.get('key')
      return entry !== undefined && entry.expires > 0 && entry.value === 'loaded'
    }
    const options = (fence: Fence) => ({ fence, tags: ['t1', 't2'] })

    for (const [what, invalidate] of Object.entries(invalidations)) {
      test.each([true, false])(
        `a value computed across a ${what} is never served (present before: %s)`,
        async present => {
          if (present) await store.set('key', 'before', { tags: ['t1', 't2'] })
          const fence = await store.fence()
          await invalidate(store)
          await store.set('key', 'loaded', options(fence))
          expect(await served()).toBe(false)
          const again = await store.fence()
          expect(await store.set('key', 'loaded', options(again))).toBe(true)
          expect(await served()).toBe(true)
        },
      )

      test(`a value stored before a ${what} is not served after it`, async () => {
        await store.set('key', 'loaded', options(await store.fence()))
        expect(await served()).toBe(true)
        await invalidate(store)
        expect(await served()).toBe(false)
      })
    }

    test('what concerns others does not outdate a fence', async () => {
      const fence = await store.fence()
      await store.delete('other')
      await store.expireTag('t3')
      expect(await store.set('key', 'loaded', options(fence))).toBe(true)
      expect(await served()).toBe(true)
    })

    test('a value loaded earlier does not replace one loaded later', async () => {
      const early = await store.fence()
      await store.deleteTag('unrelated')
      await store.set('key', 'late', { fence: await store.fence() })
      expect(await store.set('key', 'early', { fence: early })).toBe(false)
      expect((await store.get('key'))?.value).toBe('late')
    })

    test('a refused set is counted and leaves what is stored', async () => {
      const fence = await store.fence()
      await store.delete('key')
      await store.set('key', 'good')
      const before = store.stats().refused
      expect(await store.setMany([{ key: 'key', value: 'bad', fence }])).toEqual([false])
      expect((await store.get('key'))?.value).toBe('good')
      expect(store.stats().refused).toBe(before + 1)
    })

    test.each([
      ['set', (key: string) => store.set(key, 'written', { tags: ['t1'] })],
      ['setMany', (key: string) => store.setMany([{ key, value: 'written', tags: ['t1'] }])],
    ] as const)(
      'a value computed across a %s of its key does not replace what that wrote',
      async (_, write) => {
        for (const present of [false, true]) {
          const key = `written ${present}`
          if (present) await store.set(key, 'before')
          const fence = await store.fence()
          await write(key)
          expect(await store.set(key, 'loaded', options(fence))).toBe(false)
          expect(await store.get(key)).toMatchObject({ value: 'written', expires: Infinity })
          // Not even when what was written has gone by itself.
          await store.deleteTag('t1')
          expect(await store.get(key)).toBeUndefined()
          expect(await store.set(key, 'loaded', { fence })).toBe(false)
          expect(await store.set(key, 'again', { fence: await store.fence() })).toBe(true)
        }
      },
    )

    test('who reads during writes gets the old value or the new one, never none', async () => {
      await store.set('key', -1)
      const reads: Promise<unknown>[] = []
      const writes: Promise<boolean>[] = []
      for (let value = 0; value < 50; value++) {
        writes.push(store.set('key', value))
        reads.push(store.get('key').then(entry => entry?.value))
      }
      expect(await Promise.all(writes)).not.toContain(false)
      expect(await Promise.all(reads)).not.toContain(undefined)
    })
  })
}
