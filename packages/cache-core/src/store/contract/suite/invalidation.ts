import { deepEqual, equal, ok, partialDeepStrictEqual } from 'node:assert/strict'
import { type StoreSuite, sortedKeys, valueAt } from './store-suite.ts'
import { difficultNames } from './values.ts'

/** Tags that backends with limits on names, or with separators between them, confuse. */
const difficultTags = [
  ...difficultNames,
  'x'.repeat(70_000),
  `${'x'.repeat(70_000)}y`,
  'a,b',
  '["a"]',
]

/** What `delete`, `expire` and their kin do to values. */
export function invalidationTests(suite: StoreSuite): void {
  suite.test(
    'delete makes gone, expire makes stale, and both say whether there was something',
    async store => {
      await store.setMany([
        { key: 'a', value: 1 },
        { key: 'b', value: 2, retention: 1_000, ttl: 60_000 },
        { key: 'c', value: 3 },
      ])
      deepEqual([await store.delete('a'), await store.delete('a')], [true, false])
      deepEqual([await store.expire('b'), await store.expire('none')], [true, false])
      equal(await store.expireMany(['b', 'none', 'c']), 2)
      equal(await store.get('a'), undefined)
      partialDeepStrictEqual(await store.get('b'), { value: 2, expires: 0 })
      partialDeepStrictEqual(await store.get('c'), { value: 3, expires: 0 })
    },
  )

  suite.test('a tag reaches all its values and no others, once', async store => {
    await store.setMany([
      { key: 'both', value: 1, tags: ['x', 'y'] },
      { key: 'x', value: 2, tags: ['x'] },
      { key: 'none', value: 3 },
    ])
    await store.expireTag('y')
    const [both, x] = await store.getMany(['both', 'x'])
    partialDeepStrictEqual(both, { expires: 0, tags: ['x', 'y'] })
    partialDeepStrictEqual(x, { expires: Infinity })
    await store.deleteTag('x')
    deepEqual(await store.getMany(['both', 'x']), [undefined, undefined])
    equal(await valueAt(store, 'none'), 3)
    await store.set('x', 4, { tags: ['x'] })
    partialDeepStrictEqual(await store.get('x'), { value: 4, expires: Infinity })
  })

  suite.test('difficult tags stay apart and reach their values', async store => {
    for (const [index, tag] of difficultTags.entries()) {
      equal(await store.set(`k${index}`, index, { tags: [tag] }), true)
    }
    for (const [index, tag] of difficultTags.entries()) {
      const [entry] = await store.getMany([`k${index}`])
      deepEqual(entry?.tags, [tag])
      const fence = await store.fence()
      await (index % 2 === 0 ? store.deleteTag(tag) : store.expireTag(tag))
      const after = await store.get(`k${index}`)
      ok(index % 2 === 0 ? after === undefined : after?.expires === 0)
      equal(await store.set('late', index, { tags: [tag], fence }), false)
      const next = await store.get(`k${index + 1}`)
      equal(next?.expires, index + 1 === difficultTags.length ? undefined : Infinity)
    }
  })

  suite.test('clear makes everything gone, or stale', async store => {
    await store.setMany(['a', 'b'].map(key => ({ key, value: key, tags: ['t'] })))
    await store.clear({ expire: true })
    for (const entry of await store.getMany(['a', 'b'])) equal(entry?.expires, 0)
    await store.set('c', 3)
    equal((await store.get('c'))!.expires, Infinity)
    await store.clear()
    deepEqual(await store.getMany(['a', 'b', 'c']), [undefined, undefined, undefined])
    deepEqual(await sortedKeys(store), [])
    await store.set('a', 1, { tags: ['t'] })
    equal(await valueAt(store, 'a'), 1)
  })

  suite.test(
    'a second instance sees values and invalidations, which outdate its fences',
    async (store, { peer: open }) => {
      if (open === undefined) return
      await using peer = await open()
      await store.set('a', 1, { tags: ['t'] })
      await store.set('b', 2)
      equal((await peer.get('a'))?.value, 1)
      const fence = await peer.fence()
      await store.deleteTag('t')
      await store.delete('b')
      deepEqual(await peer.getMany(['a', 'b']), [undefined, undefined])
      await peer.set('a', 'old', { tags: ['t'], fence })
      await peer.set('b', 'old', { fence })
      deepEqual(await store.getMany(['a', 'b']), [undefined, undefined])
      await peer.clear()
      await store.set('c', 'old', { fence })
      equal(await store.get('c'), undefined)
      const earlier = await peer.fence()
      await store.set('d', 'written')
      equal(await peer.set('d', 'loaded', { fence: earlier }), false)
      equal((await peer.get('d'))?.value, 'written')
    },
  )
}
