import { seededRandom } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { TurnDetector } from './turn-detector.ts'

/** Entries of a cache all of whose keys are sampled. */
const ENTRIES = 128

/** Reads keys, and tells after each whether they are taken for a sweep. */
function watch(entries: number = ENTRIES): { detector: TurnDetector; read(key: number): boolean } {
  const detector = new TurnDetector()
  detector.resize(entries)
  const read = (key: number): boolean => {
    detector.read(Math.imul(key + 1, 0x9e3779b1))
    return detector.sweeping
  }
  return { detector, read }
}

function* backAndForth(keys: number, reads: number): Generator<number> {
  const turn = 2 * keys - 2
  for (let i = 0; i < reads; i++) yield i % turn < keys ? i % turn : turn - (i % turn)
}

test.each([1.05, 1.5, 2, 4])(
  'a scan from end to end and back over %f times what fits is a sweep from its fourth turn on',
  ratio => {
    const { read } = watch()
    const keys = Math.round(ENTRIES * ratio)
    const sweeping = Array.from(backAndForth(keys, keys * 40), read)
    expect(sweeping.indexOf(true)).toBeGreaterThan(3 * keys)
    expect(sweeping.indexOf(true)).toBeLessThan(5 * keys)
    expect(sweeping.indexOf(false, sweeping.indexOf(true))).toBe(-1)
  },
)

test('a sweep is recognized among as many reads of other keys', () => {
  const { read } = watch()
  const random = seededRandom(3)
  let sweeping = 0
  for (const key of backAndForth(300, 20_000)) {
    read(-1 - Math.floor(2000 * random() ** 3))
    if (read(key)) sweeping++
  }
  expect(sweeping).toBeGreaterThan(15_000)
})

test.each([60, ENTRIES])(
  'the first turn is seen soon, and main keeps what it has from then on (%i entries)',
  entries => {
    const { detector, read } = watch(entries)
    const keys = 2 * entries
    const turning = Array.from(backAndForth(keys, keys * 4), key => {
      read(key)
      return detector.turning
    })
    expect(turning.indexOf(true)).toBeGreaterThan(keys)
    expect(turning.indexOf(true)).toBeLessThan(keys + entries / 4)
    expect(turning.indexOf(false, turning.indexOf(true))).toBe(-1)
  },
)

test('nothing is kept where a second turn does not come in time, or comes at another distance', () => {
  const { detector, read } = watch()
  const path = [...backAndForth(300, 450), ...Array.from({ length: 2_000 }, (_, i) => 1_000 + i)]
  const turning = path.map(key => {
    read(key)
    return detector.turning
  })
  expect(turning[449]).toBe(true)
  expect(turning.at(-1)).toBe(false)

  const other = watch()
  const uneven = [
    ...backAndForth(300, 500),
    ...Array.from({ length: 500 }, (_, i) => 99 + i),
    ...Array.from({ length: 200 }, (_, i) => 597 - i),
  ]
  for (const key of uneven) other.read(key)
  expect(other.detector.turning).toBe(false)
})

test('after other reads a turn is no reason to keep anything', () => {
  const { detector, read } = watch()
  const random = seededRandom(4)
  for (let i = 0; i < 1_000; i++) read(-1 - Math.floor(500 * random() ** 2))
  const turning = Array.from(backAndForth(300, 1_000), key => {
    read(key)
    return detector.turning
  })
  expect(turning).not.toContain(true)
})

test('a sweep is over some passes after its last turn', () => {
  const { read } = watch()
  for (const key of backAndForth(300, 30_000)) read(key)
  expect(read(0)).toBe(true)
  const after = Array.from({ length: 2_000 }, (_, i) => read(1_000_000 + i))
  expect(after.indexOf(false)).toBeGreaterThan(300)
  expect(after.indexOf(false)).toBeLessThan(1_200)
})

test('loops, keys read at random and scans with turns at random are none', () => {
  const random = seededRandom(5)
  let at = 0
  let step = 1
  const streams: Record<string, (i: number) => number> = {
    loop: i => i % 300,
    random: () => Math.floor(1000 * random()),
    popular: () => Math.floor(5000 * random() ** 3),
    turns: () => {
      if (random() < 1 / 300) step = -step
      return (at += step)
    },
  }
  for (const [name, key] of Object.entries(streams)) {
    const { read } = watch()
    let sweeping = 0
    for (let i = 0; i < 100_000; i++) if (read(key(i))) sweeping++
    expect(sweeping, name).toBeLessThan(5_000)
  }
})

test('without a sample nothing is recognized', () => {
  const { detector, read } = watch()
  detector.resize(0)
  expect(Array.from(backAndForth(300, 9_000), read)).not.toContain(true)
})
