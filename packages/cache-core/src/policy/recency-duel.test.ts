import { expect, test } from 'vitest'
import { RecencyDuel } from './recency-duel.ts'

/** A duel over the keys of a sample that fits into the simulated cache as a whole, which therefore always hits there. */
function duelOverFewKeys(): { duel: RecencyDuel; look(hitsOfTen: number): boolean } {
  const duel = new RecencyDuel()
  duel.resize(300)
  const hashes: number[] = []
  for (let hash = 1; hashes.length < 100; hash++) if (duel.samples(hash)) hashes.push(hash)
  const look = (hitsOfTen: number): boolean => {
    hashes.forEach((hash, index) => {
      if (index % 10 < hitsOfTen) duel.hit(hash)
      else duel.missed(hash)
    })
    duel.judge()
    return duel.recent
  }
  return { duel, look }
}

test('recency is tried where a cache of it alone would hit more', () => {
  const { look } = duelOverFewKeys()
  const looks = Array.from({ length: 12 }, () => look(8))
  expect(looks[0]).toBe(false)
  expect(looks.at(-1)).toBe(true)
})

test('a trial in which the cache itself hits less ends, and is not repeated soon, whatever the simulation says', () => {
  const { duel, look } = duelOverFewKeys()
  while (!look(8));
  let looks = 1
  while (look(3)) looks++
  expect(looks).toBeLessThan(20)
  expect(duel.ended).toBe(true)
  for (let i = 0; i < 60; i++) expect(look(8)).toBe(false)
  // Tried again in the end, as the workload may be another one, and then left alone for twice as long.
  while (!look(8));
  while (look(3));
  for (let i = 0; i < 120; i++) expect(look(8)).toBe(false)
})

test('a trial is judged by no less than a scan may take to turn twice, unless misses treble', () => {
  const looksUntilItEnds = (hitsOfTen: number): number => {
    const { duel, look } = duelOverFewKeys()
    while (!look(8));
    let looks = 0
    do {
      look(hitsOfTen)
      looks++
    } while (duel.recent)
    return looks
  }
  expect(looksUntilItEnds(5)).toBeGreaterThan(20)
  expect(looksUntilItEnds(3)).toBe(10)
})

test('what main holds being stale, a trial begins at once, but not while the last one is held against recency', () => {
  const { duel, look } = duelOverFewKeys()
  duel.judge(true)
  expect(duel.recent).toBe(true)
  while (look(3));
  while (!look(8));
  while (look(3));
  for (let i = 0; i < 50; i++) {
    duel.judge(true)
    expect(duel.recent).toBe(false)
  }
})

test('a cache whose number of entries is not known tries nothing', () => {
  const duel = new RecencyDuel()
  duel.resize(0)
  for (let i = 0; i < 10; i++) duel.judge(true)
  expect(duel.recent).toBe(false)
})
