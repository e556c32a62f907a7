import { expect, it } from 'vitest'
import { type Part, partsOf } from '../report/parts.ts'
import { RecentHits } from './recent-hits.ts'

const cache = (name: string, hits: number, misses: number): Part =>
  partsOf({ name, labels: {}, stats: { hits, misses } })[0]!

it('tells what the last ten seconds were like, whatever was before', () => {
  const recent = new RecentHits()
  recent.add(0, [cache('a', 1_000_000, 0)])
  expect([recent.of('a'), recent.ofAll()]).toEqual([null, null])
  for (let second = 1; second <= 10; second++)
    recent.add(second * 1_000, [cache('a', 1_000_000, second * 10)])
  expect(recent.ofAll()).toBe(0)
  // The hot key's ten seconds.
  for (let second = 11; second <= 20; second++)
    recent.add(second * 1_000, [cache('a', 1_000_000 + 10 * (second - 10), 100)])
  expect(recent.ofAll()).toBe(1)
  recent.add(25_000, [cache('a', 1_000_100, 150)])
  expect(recent.of('a')).toBeCloseTo(50 / 100)
  recent.add(60_000, [cache('a', 1_000_100, 150)])
  expect(recent.of('a')).toBe(null)
})

it('adds the look-ups of all caches, also of those that came, went or began anew', () => {
  const recent = new RecentHits()
  recent.add(0, [cache('a', 10, 10), cache('gone', 5, 5), cache('reset', 90, 10)])
  recent.add(1_000, [cache('a', 16, 12), cache('new', 1, 1), cache('reset', 1, 3)])
  expect(['a', 'new', 'reset', 'gone', 'other'].map(name => recent.of(name))).toEqual([
    0.75,
    0.5,
    0.25,
    null,
    null,
  ])
  expect(recent.ofAll()).toBeCloseTo(8 / 14)
})
