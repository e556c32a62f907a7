import { describe, expect, test } from 'vitest'
import { type CreateInsight, insight } from '../advise/insight.ts'
import { CoherenceGroup } from '../coherence/coherence-group.ts'
import { contentKey } from '../coherence/content-key.ts'
import { InvalidOptionError, WeigherError } from '../errors.ts'
import { KeyvAdapter } from '../keyv/keyv-adapter.ts'
import { loaded } from '../load/loaded.ts'
import { cached } from '../memoize/cached.ts'
import { memoize } from '../memoize/memoize.ts'
import type { CreatePolicy } from '../policy/policies.ts'
import { ProtectedCache } from '../protect/protected-cache.ts'
import { CacheReporter } from '../report/cache-report.ts'
import { AdaptiveSize } from '../size/adaptive-size.ts'
import { type MemoryPressureFactory, memoryPressure } from '../size/memory-pressure.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { SqliteStore } from '../store/sqlite/sqlite-store.ts'
import { LayeredStore } from '../tiered/layered/layered-store.ts'
import { TickerClock } from '../time/ticker-clock.ts'
import { Cache } from './cache.ts'
import type { CacheOptions } from './cache-options.ts'

const weigher = (value: number): number => value

describe('the constructor refuses', () => {
  const notANumber = '1' as unknown as number
  test.each<[CacheOptions<string, number>, string]>([
    [
      { maxEntries: -1 },
      'Expected `maxEntries` to be an integer from 1 to 16,777,216, got a negative integer of 1 digit',
    ],
    [
      { maxEntries: Number.NaN },
      'Expected `maxEntries` to be an integer from 1 to 16,777,216, got NaN',
    ],
    [{ maxEntries: 0 }, 'Expected `maxEntries` to be an integer from 1 to 16,777,216, got 0'],
    [
      { maxEntries: 1.5 },
      'Expected `maxEntries` to be an integer from 1 to 16,777,216, got a positive number with a fraction',
    ],
    [
      { maxEntries: 2 ** 24 + 1 },
      'Expected `maxEntries` to be an integer from 1 to 16,777,216, got a positive integer of 8 digits',
    ],
    [
      { maxEntries: notANumber },
      'Expected `maxEntries` to be an integer from 1 to 16,777,216, got a string of length 1',
    ],
    [
      { maxBytes: 100 },
      'Expected `weigher` to be a function, as `maxBytes` is given, got undefined',
    ],
    [
      { maxBytes: -1, weigher },
      'Expected `maxBytes` to be a number above 0 or Infinity, got a negative integer of 1 digit',
    ],
    [
      { maxBytes: Number.NaN, weigher },
      'Expected `maxBytes` to be a number above 0 or Infinity, got NaN',
    ],
    [
      { weigher: 1 as unknown as typeof weigher },
      'Expected `weigher` to be a function, got a positive integer of 1 digit',
    ],
    [
      { onRemove: 'x' as unknown as () => void },
      'Expected `onRemove` to be a function, got a string of length 1',
    ],
    [{ ttl: 0 }, 'Expected `ttl` to be a number above 0 or Infinity, got 0'],
    [{ ttl: Number.NaN }, 'Expected `ttl` to be a number above 0 or Infinity, got NaN'],
    [
      { idleTtl: -5 },
      'Expected `idleTtl` to be a number above 0 or Infinity, got a negative integer of 1 digit',
    ],
    [{ sweepInterval: 0 }, 'Expected `sweepInterval` to be a number above 0 or Infinity, got 0'],
    [
      { ttlJitter: 1.1 },
      'Expected `ttlJitter` to be a number from 0 to 1, got a positive number with a fraction',
    ],
    [{ ttlJitter: Number.NaN }, 'Expected `ttlJitter` to be a number from 0 to 1, got NaN'],
    [
      { policy: 'lru' as unknown as CreatePolicy },
      'Expected `policy` to be one of `@millrace/cache-core/policies`, got a string of length 3',
    ],
    [
      { policy: () => ({}) as never },
      'Expected `policy` to be one of `@millrace/cache-core/policies`, with a method `evict`, got an object',
    ],
    [
      { memoryPressure: true as unknown as MemoryPressureFactory },
      'Expected `memoryPressure` to be `memoryPressure()`, got a boolean',
    ],
    [
      { insight: {} as unknown as CreateInsight },
      'Expected `insight` to be `insight()`, got an object',
    ],
  ])('%o', (options, message) => {
    const create = (): unknown => new Cache<string, number>(options)
    expect(create).toThrow(InvalidOptionError)
    expect(create).toThrow(message)
  })
})

test.each([
  [{ shrinkAt: 0 }, '`memoryPressure.shrinkAt` to be a number above 0 and up to 1, got 0'],
  [
    { stopAt: 0.5 },
    '`memoryPressure.stopAt` to be a number from 0.8 to 1, got a positive number with a fraction',
  ],
  [{ interval: 0 }, '`memoryPressure.interval` to be a number above 0 or Infinity, got 0'],
  [
    { usage: 0.5 as never },
    '`memoryPressure.usage` to be a function, got a positive number with a fraction',
  ],
])('memory pressure %o is refused', (options, message) => {
  expect(() => memoryPressure(options)).toThrow(message)
})

test.each([0, -1, 1.5, Number.NaN])('a sample of %o is refused', sample => {
  expect(() => new Cache({ insight: insight({ advice: { sample } }) })).toThrow(
    'Expected `advice.sample` to be a number above 0 and up to 1',
  )
})

test('an error names the option and what was received in fields', () => {
  expect(() => new Cache({ maxEntries: -1 })).toThrow(
    expect.objectContaining({
      code: 'ERR_MILLRACE_INVALID_OPTION',
      option: 'maxEntries',
      received: 'a negative integer of 1 digit',
    }),
  )
})

test.each([Number.NaN, -1, Infinity, '3', undefined])(
  'a weigher that returns %o stores nothing',
  weight => {
    const weights: unknown[] = [3, weight]
    const cache = new Cache<string, number>({
      maxBytes: 10,
      weigher: () => weights.shift() as number,
    })
    cache.set('a', 1)
    expect(() => cache.set('b', 2)).toThrow(WeigherError)
    expect([...cache]).toEqual([['a', 1]])
    expect(cache.stats().bytes).toBe(3)
  },
)

test('a weigher that throws leaves the older value', () => {
  const cache = new Cache<string, number>({
    maxBytes: 10,
    weigher: value => {
      if (value === 2) throw new RangeError('no weight')
      return 1
    },
  })
  cache.set('a', 1)
  expect(() => cache.set('a', 2)).toThrow('no weight')
  expect(cache.get('a')).toBe(1)
})

test.each([0, -1, Number.NaN])('a ttl of %o for one entry is refused', ttl => {
  const cache = new Cache<string, number>()
  expect(() => cache.set('a', 1, { ttl })).toThrow(
    'Expected `ttl` to be a number above 0 or Infinity',
  )
  expect(cache.size).toBe(0)
})

test('a limit that resize refuses changes nothing', () => {
  const cache = new Cache<string, number>({ maxEntries: 2 })
  expect(() => cache.resize({ maxEntries: 0 })).toThrow('Expected `maxEntries`')
  expect(() => cache.resize({ maxBytes: 100 })).toThrow('Expected `weigher`')
  cache.set('a', 1).set('b', 2)
  expect(cache.size).toBe(2)
})

test('advice that was not asked for is refused', () => {
  expect(() => new Cache().advise()).toThrow(
    'Expected `insight` to be `insight()` for `advise` to work, got undefined',
  )
})

test('a tag that is none is refused, as it would invalidate nothing', () => {
  const cache = new Cache<string, number>()
  expect(() => cache.deleteTag(['a'] as never)).toThrow(
    'Expected `tag` to be a string, got an array of length 1',
  )
  expect(() => cache.expireTag(undefined as never)).toThrow('Expected `tag`')
})

test.each<[string, (cache: Cache<string, number>) => unknown]>([
  ['maxEntires', () => new Cache({ maxEntires: 5 } as CacheOptions<string, number>)],
  ['TTL', cache => cache.set('a', 1, { TTL: 5 } as never)],
  ['tag', cache => cache.set('a', 1, { tag: 'x' } as never)],
  ['hardDeadline', cache => cache.getOrLoadSync('a', () => 1, { hardDeadline: 5 } as never)],
  ['tag', () => loaded(1, { tag: ['x'] } as never)],
  ['maxEntry', cache => cache.resize({ maxEntry: 5 } as never)],
  ['expired', cache => cache.clear({ expired: true } as never)],
  ['memoryPressure.shrinksAt', () => memoryPressure({ shrinksAt: 0.5 } as never)],
  ['advise', () => insight({ advise: true } as never)],
  ['advice.samples', () => insight({ advice: { samples: 1 } } as never)],
  ['keys', () => memoize(() => 1, { keys: () => 1 } as never)],
])('an option `%s` is refused, as there is none', (option, use) => {
  const cache = new Cache<string, number>()
  expect(() => use(cache)).toThrow(expect.objectContaining({ option }))
  expect(cache.size).toBe(0)
})

const entries = { limit: 'maxEntries', initial: 100 } as const

test.each<[string, () => unknown]>([
  ['options', () => new Cache().set('a', 1, 5 as never)],
  ['options', () => new Cache().set('a', 1, null as never)],
  ['options', () => new ProtectedCache(5 as never)],
  ['options', () => memoize(() => 1, null as never)],
  ['options', () => cached('ttl' as never)(() => 1)],
  ['content', () => contentKey(5 as never)],
  ['content', () => contentKey('a', null as never)],
  ['cache', () => new CacheReporter().add('a', { cache: {} as never })],
  ['memoryPressure.shrinkAt', () => memoryPressure({ shrinkAt: Symbol('half') as never })],
  ['interval', () => new TickerClock({ interval: null as never })],
  ['clock', () => new MemoryStore({ clock: 5 as never })],
  ['clock', () => new LayeredStore({ ...twoStores(), clock: { now: 5 } as never })],
  ['limit', () => new AdaptiveSize(new Cache(), { initial: 100, limit: null as never })],
  ['onResize', () => new AdaptiveSize(new Cache(), { ...entries, onResize: 5 as never })],
  ['clock', () => new AdaptiveSize(new Cache(), { ...entries, clock: 5 as never })],
  ['path', () => new SqliteStore({ path: 'a\0b' })],
  ['namespace', () => new KeyvAdapter(new MemoryStore(), { namespace: 5 as never })],
])('a bad `%s` is refused where it is given: %s', (option, use) => {
  expect(use).toThrow(expect.objectContaining({ code: 'ERR_MILLRACE_INVALID_OPTION', option }))
})

test('a group refuses keys that are none, and verbs', async () => {
  const group = new CoherenceGroup().add('a', { cache: new Cache<string, number>() })
  await expect(group.invalidateMany('a', 'key')).rejects.toThrow(InvalidOptionError)
  await expect(group.invalidate('a', 'key', 'remove' as never)).rejects.toThrow(InvalidOptionError)
  await expect(group.clear('a', 'remove' as never)).rejects.toThrow(InvalidOptionError)
})

function twoStores() {
  return { near: new MemoryStore(), far: new MemoryStore() }
}
