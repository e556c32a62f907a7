import { everyInterleaving, runs, SeededScheduler } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Cache } from '../cache/cache.ts'
import { loaded } from './loaded.ts'

/*
 * The race table. A source has a version; a writer raises it and invalidates; loads read it. Whoever asks
 * after an invalidation must see what was there at that moment or later, and nothing older may stay in
 * the cache, in every order in which reads, writes and replies can happen.
 */

type Numbers = Cache<string, number>

/** Each way to say that `k`, tagged `t`, has changed. */
const verbs: Record<string, (cache: Numbers, version: number) => void> = {
  delete: cache => cache.delete('k'),
  expire: cache => cache.expire('k'),
  deleteTag: cache => cache.deleteTag('t'),
  expireTag: cache => cache.expireTag('t'),
  deleteMatching: cache => cache.deleteMatching('k*'),
  expireMatching: cache => cache.expireMatching('*'),
  clear: cache => cache.clear(),
  'clear with expire': cache => cache.clear({ expire: true }),
  set: (cache, version) => cache.set('k', version, { tags: ['t'] }),
}

type Read = (source: () => Promise<number>) => Promise<number>

/** Each way to load `k`. */
const loads: Record<string, (cache: Numbers) => Read> = {
  getOrLoad: cache => source => cache.getOrLoad('k', source, { tags: ['t'] }),
  'getOrLoad with a tag that only the result names': cache => source =>
    cache.getOrLoad('k', async () => loaded(await source(), { tags: ['t'] })),
  'getOrLoad with a signal': cache => source =>
    cache.getOrLoad('k', source, { tags: ['t'], signal: new AbortController().signal }),
  'getOrLoad with stale values at hand': cache => source =>
    cache.getOrLoad('k', source, { tags: ['t'], staleIfError: 60_000, softTimeout: 60_000 }),
  'getOrLoadSync with an asynchronous loader': cache => async source =>
    cache.getOrLoadSync('k', source, { tags: ['t'] }),
  getOrLoadMany: cache => async source => {
    const values = await cache.getOrLoadMany(
      ['j', 'k'],
      async keys => {
        const value = await source()
        return keys.map(() => loaded(value, { tags: ['t'] }))
      },
      { ttl: 60_000 },
    )
    return values.get('k')!
  },
}

describe.each(Object.entries(loads))('%s', (_, reader) => {
  it.each(Object.entries(verbs))('is never overtaken by %s', async (_, invalidate) => {
    await everyInterleaving(async scheduler => {
      const cache: Numbers = new Cache({ ttl: 60_000 })
      const read = reader(cache)
      let version = 1
      const source = scheduler.wrap(async () => version, 'source')
      const fresh = async (): Promise<void> => {
        const atLeast = version
        expect(await read(source)).toBeGreaterThanOrEqual(atLeast)
      }
      const done = [
        fresh(),
        scheduler.defer(() => invalidate(cache, ++version), 'write'),
        scheduler.defer(fresh, 'read'),
      ]
      await scheduler.settle()
      await Promise.all(done)
      expect(cache.get('k') ?? version).toBe(version)
      expect(cache.stats().loading).toBe(0)
    })
  })

  it.each(Object.entries(verbs))('is stored if %s came before', async (_, invalidate) => {
    const cache: Numbers = new Cache({ ttl: 60_000 })
    if (invalidate === verbs.set) cache.set('k', 0)
    else invalidate(cache, 0)
    cache.delete('k')
    expect(await reader(cache)(async () => 1)).toBe(1)
    expect(cache.get('k')).toBe(1)
  })

  it.each(Object.entries(verbs))(
    'is followed by a new load if %s comes after',
    async (name, invalidate) => {
      const cache: Numbers = new Cache({ ttl: 60_000 })
      const read = reader(cache)
      expect(await read(async () => 1)).toBe(1)
      invalidate(cache, 2)
      expect(cache.get('k')).toBe(name === 'set' ? 2 : undefined)
      expect(await read(async () => 2)).toBe(2)
    },
  )
})

it('keeps every reader ahead of every earlier invalidation, whatever the order', async () => {
  const action = fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    verb: fc.constantFrom(
      'read',
      'read',
      'many',
      'delete',
      'expire',
      'deleteTag',
      'expireTag',
      'match',
      'clear',
      'set',
    ),
    tagged: fc.boolean(),
  })
  const list = fc.array(action, { maxLength: 14, size: 'max' })
  await fc.assert(
    fc.asyncProperty(fc.integer(), list, async (seed, actions) => {
      const scheduler = new SeededScheduler(seed)
      const cache: Numbers = new Cache({ maxEntries: 2 })
      let version = 0
      /** The version a reader of each key must at least see. */
      const floor: Record<string, number> = { a: 0, b: 0, c: 0 }
      const source = scheduler.wrap(async () => version, 'source')
      const tagOf = (key: string): string[] => (key === 'c' ? ['x', 'y'] : ['x'])
      const raise = (keys: string[]): void => {
        version++
        for (const key of keys) floor[key] = version
      }
      const perform = async ({ key, verb, tagged }: (typeof actions)[number]): Promise<void> => {
        switch (verb) {
          case 'read': {
            const atLeast = floor[key]!
            const value = await cache.getOrLoad(
              key,
              async () => (tagged ? source() : loaded(await source(), { tags: tagOf(key) })),
              tagged ? { tags: tagOf(key) } : {},
            )
            expect(value).toBeGreaterThanOrEqual(atLeast)
            return
          }
          case 'many': {
            const atLeast = { ...floor }
            const values = await cache.getOrLoadMany(['a', 'b', 'c'], async keys => {
              const value = await source()
              return new Map(keys.map(k => [k, loaded(value, { tags: tagOf(k) })]))
            })
            for (const [k, value] of values) expect(value).toBeGreaterThanOrEqual(atLeast[k]!)
            expect(values.size).toBe(3)
            return
          }
          case 'delete':
            raise([key])
            cache.delete(key)
            return
          case 'expire':
            raise([key])
            cache.expire(key)
            return
          case 'deleteTag':
            raise(['c'])
            cache.deleteTag('y')
            return
          case 'expireTag':
            raise(['a', 'b', 'c'])
            cache.expireTag('x')
            return
          case 'match':
            raise([key])
            cache.deleteMatching(`${key}*`)
            return
          case 'clear':
            raise(['a', 'b', 'c'])
            cache.clear({ expire: tagged })
            return
          case 'set':
            raise([key])
            cache.set(key, version, { tags: tagOf(key) })
            return
        }
      }
      const done = actions.map((action, index) =>
        scheduler.defer(() => perform(action), `${index}:${action.verb}`),
      )
      await scheduler.settle()
      await Promise.all(done)
      for (const key of ['a', 'b', 'c']) {
        expect(cache.peek(key) ?? version).toBeGreaterThanOrEqual(floor[key]!)
      }
      expect(cache.stats().loading).toBe(0)
    }),
    { numRuns: runs(150) },
  )
})
