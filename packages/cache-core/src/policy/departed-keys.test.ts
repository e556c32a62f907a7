import { seededRandom } from '@millrace/testkit'
import { expect, test } from 'vitest'
import {
  DepartedKeys,
  DISPLACED,
  departureOf,
  FORGOTTEN,
  REFUSED,
  sightsOf,
  ticksSince,
  WITHDRAWN,
} from './departed-keys.ts'

function hashes(count: number, seed: number): number[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => (random() * 2 ** 32) | 0)
}

function tableOf(entries: number): DepartedKeys {
  const departed = new DepartedKeys()
  departed.grow(entries)
  return departed
}

test('a key is recalled once, with what was known of it', () => {
  const departed = tableOf(1_000)
  const [hash] = hashes(1, 1) as [number]
  expect(departed.recall(hash)).toBe(FORGOTTEN)
  departed.remember(hash, 5, DISPLACED, 600)
  const recalled = departed.recall(hash)
  expect([sightsOf(recalled), departureOf(recalled), ticksSince(recalled, 610)]).toEqual([
    5,
    DISPLACED,
    10,
  ])
  expect(departed.recall(hash)).toBe(FORGOTTEN)
})

test.each([100, 10_000, 1_000_000])(
  'around %i entries, most keys of the last capacity are remembered and hardly any is mistaken',
  entries => {
    const departed = tableOf(entries)
    const left = hashes(Math.max(entries, 256), 2)
    for (const hash of left) departed.remember(hash, 1, REFUSED, 0)
    const strangers = hashes(10_000, 3).filter(hash => departed.recall(hash) !== FORGOTTEN)
    expect(strangers.length).toBeLessThan(20)
    const known = left.filter(hash => departed.recall(hash) !== FORGOTTEN)
    expect(known.length).toBeGreaterThan(left.length * 0.9)
  },
)

test('keys that were seen often outlive a flood of those seen once', () => {
  const departed = tableOf(1_000)
  const popular = hashes(300, 4)
  for (const hash of popular) departed.remember(hash, 4, REFUSED, 0)
  for (const hash of hashes(20_000, 5)) departed.remember(hash, 1, REFUSED, 40)
  const known = popular.filter(hash => sightsOf(departed.recall(hash)) === 4)
  expect(known.length).toBeGreaterThan(290)
})

test('keys that were popular long ago leave room for those that leave now', () => {
  const departed = tableOf(1_000)
  for (const hash of hashes(3_000, 4)) departed.remember(hash, 4, REFUSED, 0)
  const recent = hashes(1_000, 5)
  for (const hash of recent) departed.remember(hash, 1, REFUSED, 300)
  const known = recent.filter(hash => departed.recall(hash) !== FORGOTTEN)
  expect(known.length).toBeGreaterThan(900)
})

test('of keys seen equally often the ones that left first are forgotten', () => {
  const departed = tableOf(1_000)
  const old = hashes(1_000, 6)
  for (const hash of old) departed.remember(hash, 1, REFUSED, 10)
  const young = hashes(1_000, 7)
  for (const hash of young) departed.remember(hash, 1, REFUSED, 20)
  const count = (keys: number[]): number =>
    keys.filter(hash => departed.recall(hash) !== FORGOTTEN).length
  expect(count(young)).toBeGreaterThan(900)
  expect(count(old)).toBeLessThan(700)
})

test('counts fade, and most of them survive growth and a copy', () => {
  const departed = tableOf(1_000)
  const left = hashes(500, 8)
  for (const hash of left) departed.remember(hash, 6, REFUSED, 7)
  departed.halve()
  departed.grow(3_000)
  const copy = tableOf(2_000)
  copy.load(departed.save())
  const recallAll = (table: DepartedKeys): number[] =>
    left.map(hash => table.recall(hash)).filter(known => known !== FORGOTTEN)
  for (const recalled of [recallAll(departed), recallAll(copy)]) {
    expect(recalled.length).toBeGreaterThan(400)
    expect(new Set(recalled.map(sightsOf))).toEqual(new Set([3]))
  }
  expect(recallAll(departed)).toEqual([])
})

test('how a key left means nothing to another cache', () => {
  const departed = tableOf(1_000)
  departed.remember(77, 2, DISPLACED, 7)
  const copy = tableOf(1_000)
  copy.load(departed.save())
  expect(departureOf(copy.recall(77))).toBe(WITHDRAWN)
})
