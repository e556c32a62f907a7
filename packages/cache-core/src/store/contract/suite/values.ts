import { deepEqual, equal, partialDeepStrictEqual, rejects } from 'node:assert/strict'
import { type StoreSuite, sortedKeys, valueAt } from './store-suite.ts'

/** Keys and tags that naive backends confuse, refuse or turn into paths and patterns. */
export const difficultNames: readonly string[] = [
  '',
  ' ',
  'a',
  'A',
  'a/b',
  '../../etc/passwd',
  'a\0b',
  '\u0001a',
  'ä',
  'a\u0308',
  '\ud800',
  '\ud801',
  '\udc00x',
  '\ufffd',
  'cut \ud83d',
  '*',
  'a?[b]',
  '{tag}key',
  '%00',
  "' OR 1",
  'con',
  'x'.repeat(5_000),
  '__proto__',
  'constructor',
]

const difficultValues = [
  null,
  0,
  false,
  '',
  'text',
  [],
  {},
  { nested: { list: [1, 'two', null] } },
  'ü€😀',
  'y'.repeat(100_000),
]

const cyclic: unknown[] = []
cyclic.push(cyclic)

/** Reading and writing values by their keys. */
export function valueTests(suite: StoreSuite): void {
  suite.test('a value comes back equal, and a missing key is undefined', async store => {
    for (const value of difficultValues) {
      equal(await store.set('key', value), true)
      partialDeepStrictEqual(await store.get('key'), { value, expires: Infinity, tags: [] })
    }
    equal(await store.get('other'), undefined)
  })

  suite.test('difficult keys stay apart, and are listed as they were given', async store => {
    for (const [index, key] of difficultNames.entries()) await store.set(key, index)
    for (const [index, key] of difficultNames.entries()) equal(await valueAt(store, key), index)
    deepEqual(await sortedKeys(store), [...difficultNames].sort())
    for (const key of difficultNames) equal(await store.delete(key), true)
    deepEqual(await sortedKeys(store), [])
  })

  suite.test('changing a value after set or get does not change what is stored', async store => {
    const value = { list: [1] }
    await store.set('key', value)
    value.list.push(2)
    const read = (await valueAt(store, 'key')) as typeof value
    read.list.push(3)
    deepEqual(await valueAt(store, 'key'), { list: [1] })
  })

  suite.test('a value that cannot be encoded rejects and leaves the old one', async store => {
    await store.set('key', 'old')
    for (const value of [undefined, 1n, () => 1, Symbol('s'), cyclic]) {
      await rejects(store.set('key', value), { code: 'ERR_MILLRACE_UNENCODABLE_VALUE' })
      equal(await valueAt(store, 'key'), 'old')
    }
  })

  suite.test('of a batch, what cannot be encoded is refused alone and counted', async store => {
    await store.set('bad', 'old')
    const before = store.stats()
    const items = ['a', 'bad', 'b', 'none'].map(key => ({ key, value: key as unknown }))
    items[1]!.value = 1n
    items[3]!.value = undefined
    deepEqual(await store.setMany(items), [true, false, true, false])
    deepEqual(
      (await store.getMany(['a', 'bad', 'b', 'none'])).map(entry => entry?.value),
      ['a', 'old', 'b', undefined],
    )
    const { refused, writes } = store.stats()
    deepEqual([refused - before.refused, writes - before.writes], [2, 2])
  })

  suite.test('batches keep order, repeat keys, and may be empty', async store => {
    deepEqual(await store.setMany([]), [])
    deepEqual(await store.getMany([]), [])
    deepEqual((await store.lookup([])).entries, [])
    equal(await store.deleteMany([]), 0)
    equal(await store.expireMany([]), 0)
    const items = Array.from({ length: 200 }, (_, i) => ({ key: `k${i}`, value: i as unknown }))
    deepEqual(
      await store.setMany([...items, { key: 'k0', value: 'last' }]),
      Array<boolean>(201).fill(true),
    )
    const entries = await store.getMany(['k7', 'none', 'k0', 'k7'])
    deepEqual(
      entries.map(entry => entry?.value),
      [7, undefined, 'last', 7],
    )
    equal(await store.deleteMany(['k7', 'none', 'k8', 'k7']), 2)
    deepEqual(
      await sortedKeys(store, 'k19'),
      ['k19', ...Array.from({ length: 10 }, (_, i) => `k19${i}`)].sort(),
    )
  })

  suite.test('keys takes a prefix literally', async store => {
    await store.setMany(['a*b', 'axb', 'a*', '[a]', 'a'].map(key => ({ key, value: 1 })))
    deepEqual(await sortedKeys(store, 'a*'), ['a*', 'a*b'])
    deepEqual(await sortedKeys(store, '[a'), ['[a]'])
    deepEqual(await sortedKeys(store, 'zzz'), [])
  })

  suite.test(
    'a value larger than the store is refused, and nothing else goes',
    async (_, { limited }) => {
      if (limited === undefined) return
      await using store = await limited(10_000)
      for (let i = 0; i < 20; i++) equal(await store.set(`k${i}`, 'v'.repeat(100)), true)
      const fence = await store.fence()
      const huge = 'x'.repeat(20_000)
      equal(await store.set('huge', huge), false)
      deepEqual(
        await store.setMany([
          { key: 'k1', value: 'new' },
          { key: 'huge', value: huge, fence },
        ]),
        [true, false],
      )
      equal((await sortedKeys(store)).length, 20)
      equal(await store.get('huge'), undefined)
      partialDeepStrictEqual(store.stats(), { refused: 2, evictions: 0 })
      await store.set('k2', huge)
      equal(await store.get('k2'), undefined, 'what was written is newer than what is stored')
      equal(await valueAt(store, 'k1'), 'new')
    },
  )

  suite.test('what set says to have stored can be read', async (_, { limited }) => {
    if (limited === undefined) return
    await using store = await limited(10_000)
    for (let i = 0; i < 300; i++) {
      const key = `k${i}`
      const stored = await store.set(key, 'v'.repeat(i * 10))
      equal((await store.get(key)) !== undefined, stored, `${i}`)
      for (let j = i % 7; j < i; j += 7) await store.get(`k${j}`)
    }
  })
}
