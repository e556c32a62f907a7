import { describe, expect, test } from 'vitest'
import { type CreateInsight, insight } from '../advise/insight.ts'
import { InvalidOptionError, WeigherError } from '../errors.ts'
import type { CreatePolicy } from '../policy/policies.ts'
import { type CreateRelief, memoryPressure } from '../size/memory-pressure.ts'
import { Cache } from './cache.ts'
import type { CacheOptions } from './cache-options.ts'

const weigher = (value: number): number => value

describe('the constructor refuses', () => {
  const notANumber = '1' as unknown as number
  test.each<[CacheOptions<string, number>, string]>([
    [
      { maxEntries: -1 },
      'Expected `maxEntries` to be an integer from 1 to 16,777,216, got -1 (number)',
    ],
    [
      { maxEntries: Number.NaN },
      'Expected `maxEntries` to be an integer from 1 to 16,777,216, got NaN (number)',
    ],
    [
      { maxEntries: 0 },
      'Expected `maxEntries` to be an integer from 1 to 16,777,216, got 0 (number)',
    ],
    [
      { maxEntries: 1.5 },
      'Expected `maxEntries` to be an integer from 1 to 16,777,216, got 1.5 (number)',
    ],
    [
      { maxEntries: 2 ** 24 + 1 },
      'Expected `maxEntries` to be an integer from 1 to 16,777,216, got 16777217 (number)',
    ],
    [
      { maxEntries: notANumber },
      "Expected `maxEntries` to be an integer from 1 to 16,777,216, got '1' (string)",
    ],
    [
      { maxBytes: 100 },
      'Expected `weigher` to be a function, as `maxBytes` is given, got undefined',
    ],
    [{ maxBytes: -1, weigher }, 'Expected `maxBytes` to be a number > 0, got -1 (number)'],
    [{ maxBytes: Number.NaN, weigher }, 'Expected `maxBytes` to be a number > 0, got NaN (number)'],
    [
      { weigher: 1 as unknown as typeof weigher },
      'Expected `weigher` to be a function, got 1 (number)',
    ],
    [
      { onRemove: 'x' as unknown as () => void },
      "Expected `onRemove` to be a function, got 'x' (string)",
    ],
    [{ ttl: 0 }, 'Expected `ttl` to be a number > 0, got 0 (number)'],
    [{ ttl: Number.NaN }, 'Expected `ttl` to be a number > 0, got NaN (number)'],
    [{ idleTtl: -5 }, 'Expected `idleTtl` to be a number > 0, got -5 (number)'],
    [{ sweepInterval: 0 }, 'Expected `sweepInterval` to be a number > 0, got 0 (number)'],
    [{ ttlJitter: 1.1 }, 'Expected `ttlJitter` to be a number from 0 to 1, got 1.1 (number)'],
    [
      { ttlJitter: Number.NaN },
      'Expected `ttlJitter` to be a number from 0 to 1, got NaN (number)',
    ],
    [
      { policy: 'lru' as unknown as CreatePolicy },
      "Expected `policy` to be one of `@millrace/cache-core/policies`, got 'lru' (string)",
    ],
    [
      { memoryPressure: true as unknown as CreateRelief },
      'Expected `memoryPressure` to be `memoryPressure()`, got true (boolean)',
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
  [{ shrinkAt: 0 }, '`memoryPressure.shrinkAt` to be a number above 0 and up to 1, got 0 (number)'],
  [
    { stopAt: 0.5 },
    '`memoryPressure.stopAt` to be a number from `shrinkAt` to 1, got 0.5 (number)',
  ],
  [{ interval: 0 }, '`memoryPressure.interval` to be a number > 0, got 0 (number)'],
  [{ usage: 0.5 as never }, '`memoryPressure.usage` to be a function, got 0.5 (number)'],
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
      received: -1,
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
  expect(() => cache.set('a', 1, { ttl })).toThrow('Expected `ttl` to be a number > 0')
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

test('an error thrown by onRemove reaches the caller and leaves the cache consistent', () => {
  const cache = new Cache<string, number>({
    maxEntries: 1,
    onRemove: () => {
      throw new Error('listener')
    },
  })
  cache.set('a', 1)
  expect(() => cache.set('b', 2)).toThrow('listener')
  expect([...cache]).toEqual([['b', 2]])
})

test('an error thrown by onRemove does not let a load in progress replace the value that was set', async () => {
  const cache = new Cache<string, number>({
    maxEntries: 1,
    onRemove: () => {
      throw new Error('listener')
    },
  })
  const { promise, resolve } = Promise.withResolvers<number>()
  const load = cache.getOrLoad('b', () => promise)
  cache.set('a', 1)
  expect(() => cache.set('b', 2)).toThrow('listener')
  resolve(1)
  expect(await load).toBe(1)
  expect(cache.get('b')).toBe(2)
})

test('an error thrown by onRemove does not keep the rest of what a pattern names', () => {
  const told: string[] = []
  const cache = new Cache<string, number>({
    onRemove: key => {
      told.push(key)
      throw new Error(`listener of ${key}`)
    },
  })
  cache.set('a:1', 1).set('a:2', 2).set('b', 3)
  expect(() => cache.deleteMatching('a:*')).toThrow(/^listener of a:[12]$/)
  expect(told.toSorted()).toEqual(['a:1', 'a:2'])
  expect([...cache.keys()]).toEqual(['b'])
})

test('a tag that is none is refused, as it would invalidate nothing', () => {
  const cache = new Cache<string, number>()
  expect(() => cache.deleteTag(['a'] as never)).toThrow(
    'Expected `tag` to be a string, got an array of 1',
  )
  expect(() => cache.expireTag(undefined as never)).toThrow('Expected `tag`')
})
