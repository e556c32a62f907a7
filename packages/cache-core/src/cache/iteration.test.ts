import { VirtualClock } from '@millrace/testkit'
import { describe, expect, test } from 'vitest'
import { Cache } from './cache.ts'

/** Kinds of keys: those in the cache's own table, and those in a `Map`. */
const kinds: Record<string, (n: number) => unknown> = {
  'short strings': n => `k${n}`,
  'long strings': n => `${'k'.repeat(40)}${n}`,
  integers: n => n,
  fractions: n => n + 0.5,
  mixed: n => [`k${n}`, 'k'.repeat(40) + n, n, n + 0.5, BigInt(n)][n % 5],
}

describe.each(Object.entries(kinds))('with keys that are %s', (_kind, keyOf) => {
  function filled(maxEntries: number): Cache<unknown, number> {
    const cache = new Cache<unknown, number>({ maxEntries })
    for (let n = 0; n < 10; n++) cache.set(keyOf(n), n)
    return cache
  }

  test('a loop that sets another key at each step ends, and meets no new one', () => {
    for (const room of [10, 1_000]) {
      const cache = filled(room)
      const met: number[] = []
      for (const [, n] of cache) {
        met.push(n)
        cache.set(keyOf(100 + met.length), 100 + met.length)
      }
      expect(met.every(n => n < 10)).toBe(true)
      expect(new Set(met).size).toBe(met.length)
      if (room > 10) expect(met.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    }
  })

  test('a loop that deletes and sets what it meets again ends', () => {
    const cache = filled(1_000)
    let steps = 0
    for (const [key, value] of cache) {
      steps++
      cache.delete(key)
      cache.set(key, value)
    }
    expect(steps).toBeLessThanOrEqual(10)
    expect(cache.size).toBe(10)
  })

  test('what is deleted before its turn does not appear, replaced values do', () => {
    const cache = filled(1_000)
    const met: number[] = []
    for (const [, n] of cache) {
      met.push(n)
      for (let other = 0; other < 10; other++) {
        if (other !== n && n < 100 && met.length === 1) {
          if (other % 2 === 0) cache.delete(keyOf(other))
          else cache.set(keyOf(other), other + 100)
        }
      }
    }
    const first = met[0]!
    const expected = [1, 3, 5, 7, 9].filter(n => n !== first).map(n => n + 100)
    expect(met.slice(1).toSorted((a, b) => a - b)).toEqual(expected)
  })
})

test('an entry under the key undefined appears while it is there', () => {
  const cache = new Cache<unknown, number>()
  cache.set(undefined, 1).set('a', 2)
  expect([...cache.values()].toSorted()).toEqual([1, 2])
  const met: number[] = []
  for (const [key, value] of cache) {
    met.push(value)
    if (key === 'a') cache.delete(undefined)
  }
  cache.delete(undefined)
  expect(met.length).toBeLessThanOrEqual(2)
  expect([...cache.values()]).toEqual([2])
})

test('a purge whose listener brings back what expired ends', () => {
  const clock = new VirtualClock()
  const cache: Cache<string, number> = new Cache<string, number>({
    clock,
    maxEntries: 1_000,
    ttl: 10,
    onRemove: (key, value) => {
      cache.set(`${key}${'.'.repeat(40)}`, value, { ttl: 0.001 })
      clock.advance(1)
    },
  })
  for (let n = 0; n < 10; n++) cache.set(`k${n}`, n)
  clock.advance(10)
  expect(cache.purge()).toBe(10)
})

test('a purge removes what was idle too long, whatever lifetimes others have', () => {
  const clock = new VirtualClock()
  const cache = new Cache<string, number>({
    clock,
    idleTtl: 100,
    staleWhileRevalidate: 5_000,
  })
  cache.set('idle', 1)
  cache.set('timed', 2, { ttl: 1_000 })
  cache.set('tagged', 3, { ttl: 1_000, tags: ['t'] })
  clock.advance(100)
  expect(cache.explain('idle')).toMatchObject({ state: 'absent', reason: 'expired' })
  expect(cache.purge()).toBe(3)
  expect(cache.size).toBe(0)
})
