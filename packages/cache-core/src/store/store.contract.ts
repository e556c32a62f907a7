import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fenceContract } from './fence.contract.ts'
import { modelContract } from './model.contract.ts'
import type { Store } from './store.ts'

/** A store under test. */
export interface StoreFixture {
  readonly store: Store<unknown>
  /** Lets time pass for the store. */
  advance(ms: number): Promise<void> | void
  /** Another instance on the same data, as another process would open it; absent where data are not shared. */
  peer?(): Promise<Store<unknown>>
  /** Removes what the fixture made. */
  remove(): Promise<void>
}

/** Keys that naive backends confuse, refuse or turn into paths and patterns. */
const difficultKeys = [
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
  '*',
  'a?[b]',
  '{tag}key',
  '%00',
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

/**
 * The test suite of {@link Store}, run for every implementation.
 *
 * @param open makes an empty store that packs values as JSON, whose values never expire by default
 * @param numRuns runs of the property test
 */
export function storeContract(
  name: string,
  open: () => Promise<StoreFixture>,
  numRuns: number,
): void {
  describe(`${name} keeps the store contract`, () => {
    let fixture: StoreFixture
    let store: Store<unknown>
    beforeEach(async () => {
      fixture = await open()
      store = fixture.store
    })
    afterEach(() => fixture.remove())

    const valueAt = async (key: string) => (await store.get(key))?.value
    const keys = async (prefix?: string) => {
      const found: string[] = []
      for await (const key of store.keys(prefix === undefined ? {} : { prefix })) found.push(key)
      return found.sort()
    }

    describe('values', () => {
      test('a value comes back equal, and a missing key is undefined', async () => {
        for (const value of difficultValues) {
          expect(await store.set('key', value)).toBe(true)
          expect(await store.get('key')).toMatchObject({ value, expires: Infinity, tags: [] })
        }
        expect(await store.get('other')).toBeUndefined()
      })

      test('difficult keys stay apart, and are listed as they were given', async () => {
        for (const [index, key] of difficultKeys.entries()) await store.set(key, index)
        for (const [index, key] of difficultKeys.entries()) expect(await valueAt(key)).toBe(index)
        expect(await keys()).toEqual([...difficultKeys].sort())
        for (const key of difficultKeys) expect(await store.delete(key)).toBe(true)
        expect(await keys()).toEqual([])
      })

      test('changing a value after set or get does not change what is stored', async () => {
        const value = { list: [1] }
        await store.set('key', value)
        value.list.push(2)
        const read = (await valueAt('key')) as typeof value
        read.list.push(3)
        expect(await valueAt('key')).toEqual({ list: [1] })
      })

      test('a value that cannot be encoded rejects and leaves the old one', async () => {
        await store.set('key', 'old')
        await expect(store.set('key', undefined)).rejects.toThrow('A undefined has no JSON form')
        await expect(store.set('key', 1n)).rejects.toThrow(TypeError)
        expect(await valueAt('key')).toBe('old')
      })

      test('batches keep order, repeat keys, and may be empty', async () => {
        expect(await store.setMany([])).toEqual([])
        expect(await store.getMany([])).toEqual([])
        expect(await store.deleteMany([])).toBe(0)
        const items = Array.from({ length: 200 }, (_, i) => ({ key: `k${i}`, value: i }))
        expect(await store.setMany([...items, { key: 'k0', value: 'last' }])).toEqual(
          Array(201).fill(true),
        )
        const entries = await store.getMany(['k7', 'none', 'k0', 'k7'])
        expect(entries.map(entry => entry?.value)).toEqual([7, undefined, 'last', 7])
        expect(await store.deleteMany(['k7', 'none', 'k8', 'k7'])).toBe(2)
        expect(await keys('k19')).toEqual(
          ['k19', ...Array.from({ length: 10 }, (_, i) => `k19${i}`)].sort(),
        )
      })

      test('keys takes a prefix literally', async () => {
        await store.setMany(['a*b', 'axb', 'a*', '[a]', 'a'].map(key => ({ key, value: 1 })))
        expect(await keys('a*')).toEqual(['a*', 'a*b'])
        expect(await keys('[a')).toEqual(['[a]'])
        expect(await keys('zzz')).toEqual([])
      })
    })

    describe('time', () => {
      test('a value is gone after its ttl', async () => {
        await store.set('short', 1, { ttl: 60 })
        await store.set('long', 2, { ttl: 60_000 })
        expect(await valueAt('short')).toBe(1)
        await fixture.advance(80)
        expect(await store.get('short')).toBeUndefined()
        expect(await valueAt('long')).toBe(2)
        expect(await keys()).toEqual(['long'])
        expect(await store.delete('short')).toBe(false)
      })

      test('a retained value is returned stale, then gone', async () => {
        await store.set('key', 1, { ttl: 60, retention: 120 })
        const { expires, retained } = (await store.get('key'))!
        expect(retained - expires).toBe(120)
        await fixture.advance(80)
        expect(await store.get('key')).toMatchObject({ value: 1, expires })
        await fixture.advance(120)
        expect(await store.get('key')).toBeUndefined()
      })

      test('a set begins a new life', async () => {
        await store.set('key', 1, { ttl: 60 })
        await store.set('key', 2)
        await fixture.advance(80)
        expect(await store.get('key')).toMatchObject({ value: 2, expires: Infinity })
      })

      test.each([{ ttl: 0 }, { ttl: -1 }, { ttl: Number.NaN }])(
        'a ttl of $ttl is refused',
        async options => {
          await expect(store.set('key', 1, options)).rejects.toMatchObject({
            code: 'ERR_MILLRACE_INVALID_OPTION',
            option: 'ttl',
          })
          await expect(store.set('key', 1, { retention: -1 })).rejects.toMatchObject({
            option: 'retention',
          })
          expect(await store.get('key')).toBeUndefined()
        },
      )
    })

    describe('invalidation', () => {
      test('delete makes gone, expire makes stale, and both say whether there was something', async () => {
        await store.setMany([
          { key: 'a', value: 1 },
          { key: 'b', value: 2, retention: 1_000, ttl: 60_000 },
        ])
        expect([await store.delete('a'), await store.delete('a')]).toEqual([true, false])
        expect([await store.expire('b'), await store.expire('none')]).toEqual([true, false])
        expect(await store.get('a')).toBeUndefined()
        expect(await store.get('b')).toMatchObject({ value: 2, expires: 0 })
      })

      test('a tag reaches all its values and no others, once', async () => {
        await store.setMany([
          { key: 'both', value: 1, tags: ['x', 'y'] },
          { key: 'x', value: 2, tags: ['x'] },
          { key: 'none', value: 3 },
        ])
        await store.expireTag('y')
        expect(await store.getMany(['both', 'x'])).toMatchObject([
          { expires: 0, tags: ['x', 'y'] },
          { expires: Infinity },
        ])
        await store.deleteTag('x')
        expect(await store.getMany(['both', 'x'])).toEqual([undefined, undefined])
        expect(await valueAt('none')).toBe(3)
        await store.set('x', 4, { tags: ['x'] })
        expect(await store.get('x')).toMatchObject({ value: 4, expires: Infinity })
      })

      test('clear makes everything gone, or stale', async () => {
        await store.setMany(['a', 'b'].map(key => ({ key, value: key, tags: ['t'] })))
        await store.clear({ expire: true })
        expect(await store.getMany(['a', 'b'])).toMatchObject([{ expires: 0 }, { expires: 0 }])
        await store.set('c', 3)
        expect((await store.get('c'))!.expires).toBe(Infinity)
        await store.clear()
        expect(await store.getMany(['a', 'b', 'c'])).toEqual([undefined, undefined, undefined])
        expect(await keys()).toEqual([])
        await store.set('a', 1, { tags: ['t'] })
        expect(await valueAt('a')).toBe(1)
      })
    })

    describe('a second instance', () => {
      test('sees values and invalidations of the first, and they outdate its fences', async () => {
        if (fixture.peer === undefined) return
        await using peer = await fixture.peer()
        await store.set('a', 1, { tags: ['t'] })
        await store.set('b', 2)
        expect((await peer.get('a'))?.value).toBe(1)
        const fence = await peer.fence()
        await store.deleteTag('t')
        await store.delete('b')
        expect(await peer.getMany(['a', 'b'])).toEqual([undefined, undefined])
        await peer.set('a', 'old', { tags: ['t'], fence })
        await peer.set('b', 'old', { fence })
        expect(await store.getMany(['a', 'b'])).toEqual([undefined, undefined])
        await peer.clear()
        await store.set('c', 'old', { fence })
        expect(await store.get('c')).toBeUndefined()
        const earlier = await peer.fence()
        await store.set('d', 'written')
        expect(await peer.set('d', 'loaded', { fence: earlier })).toBe(false)
        expect((await peer.get('d'))?.value).toBe('written')
      })
    })

    describe('housekeeping', () => {
      test('counts hits, misses, writes and deletes', async () => {
        await store.set('a', 1)
        await store.getMany(['a', 'a', 'none'])
        await store.delete('a')
        await store.delete('a')
        expect(store.stats()).toMatchObject({
          hits: 2,
          misses: 1,
          writes: 1,
          deletes: 1,
          refused: 0,
          corrupt: 0,
        })
      })

      test('an aborted signal rejects with its reason', async () => {
        const signal = AbortSignal.abort(new Error('enough'))
        await expect(store.get('a', { signal })).rejects.toThrow('enough')
        await expect(store.set('a', 1, { signal })).rejects.toThrow('enough')
        await expect(store.clear({ signal })).rejects.toThrow('enough')
        expect(await store.get('a')).toBeUndefined()
      })

      test('a closed store rejects, and closes twice', async () => {
        await store.close()
        await store.close()
        await expect(store.get('a')).rejects.toMatchObject({ code: 'ERR_MILLRACE_STORE_CLOSED' })
        await expect(store.set('a', 1)).rejects.toMatchObject({ code: 'ERR_MILLRACE_STORE_CLOSED' })
      })
    })

    fenceContract(() => store)
    modelContract(() => store, numRuns)
  })
}
