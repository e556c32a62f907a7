import { describe, expect, test } from 'vitest'
import { insight } from '../advise/insight.ts'
import { policies } from '../policy/policies.ts'
import { Cache } from './cache.ts'

const byName = Object.entries(policies)

test.each(byName)(
  '%s keeps within maxBytes, refuses what is heavier, never evicts weight 0',
  (_name, policy) => {
    const cache = new Cache<string, number>({ policy, maxBytes: 100, weigher: value => value })
    cache.set('pinned', 0)
    for (let i = 0; i < 200; i++) cache.set(`key ${i}`, 1 + (i % 30))
    expect(cache.stats().bytes).toBeLessThanOrEqual(100)
    cache.set('huge', 101)
    expect(cache.has('huge')).toBe(false)
    expect(cache.stats().refusals).toBe(1)
    expect(cache.peek('pinned')).toBe(0)
  },
)

test('weights that are fractions leave nothing behind when the last entry goes', () => {
  const cache = new Cache<string, number>({ maxBytes: 10, weigher: value => value })
  for (const [key, weight] of Object.entries({ a: 0.1, b: 0.2, c: 0.3 })) cache.set(key, weight)
  for (const key of ['c', 'a', 'b']) cache.delete(key)
  expect(cache.stats().bytes).toBe(0)
})

test('a value replaced by one that is refused is gone', () => {
  const cache = new Cache<string, number>({ maxBytes: 10, weigher: value => value })
  cache.set('a', 5).set('a', 11)
  expect(cache.get('a')).toBeUndefined()
  expect(cache.stats().bytes).toBe(0)
})

test('a cache full of pins refuses', () => {
  const cache = new Cache<number, number>({
    maxEntries: 2,
    maxBytes: 10,
    weigher: value => value,
  })
  cache.set(1, 0).set(2, 0).set(3, 1)
  expect([...cache.keys()].toSorted()).toEqual([1, 2])
  expect(cache.stats().refusals).toBe(1)
})

describe.each(byName)('%s', (_name, policy) => {
  // Limits below 1, too: what weighs may be a share of something.
  test.each([0.01, 0.5, 1, 2, 10, 1_000])('keeps what fits into %d, also where it grew', limit => {
    const cache = new Cache<number, number>({ policy, maxBytes: limit, weigher: value => value })
    for (let i = 0; i < 300; i++) {
      const key = (i * 7) % 11
      cache.get(key)
      const weight = limit * [0.1, 0.2, 0.3, 1, 0.7][i % 5]!
      cache.set(key, weight)
      expect(cache.peek(key)).toBe(weight)
      expect(cache.stats().bytes).toBeLessThanOrEqual(limit)
    }
    expect(cache.stats().refusals).toBe(0)
  })

  test('a value that grew makes room for itself, and is no new key', () => {
    const removed: [string, string][] = []
    const cache = new Cache<string, number>({
      policy,
      maxBytes: 10,
      weigher: value => value,
      onRemove: (key, _value, reason) => removed.push([key, reason]),
    })
    cache.set('a', 1).set('b', 9).set('a', 2)
    expect([...cache]).toEqual([['a', 2]])
    expect(removed).toEqual([
      ['a', 'replaced'],
      ['b', 'evicted'],
    ])
    expect(cache.stats()).toMatchObject({ insertions: 2, refusals: 0, bytes: 2 })
  })

  test('a value is pinned and unpinned in its place, and is no new key', () => {
    const cache = new Cache<string, number>({ policy, maxBytes: 10, weigher: value => value })
    cache.set('a', 1).set('a', 0).set('b', 10).set('a', 3)
    expect([...cache]).toEqual([['a', 3]])
    expect(cache.stats()).toMatchObject({ insertions: 2, entries: 1, bytes: 3 })
  })
})

test('a cache of fractions is advised as any other', () => {
  const cache = new Cache<number, number>({
    maxBytes: 0.5,
    weigher: () => 0.01,
    insight: insight(),
  })
  for (let i = 0; i < 1_000; i++) if (cache.get(i % 60) === undefined) cache.set(i % 60, i)
  expect(cache.advise().estimates.map(({ policy }) => policy)).toEqual(
    expect.arrayContaining(Object.keys(policies)),
  )
})
