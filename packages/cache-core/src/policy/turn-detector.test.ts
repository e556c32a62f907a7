import { seededRandom } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { TurnDetector } from './turn-detector.ts'

/** Entries of a cache all of whose keys are sampled, none of which ever hits: 32 ticks are as many reads. */
const ENTRIES = 128

/** Reads keys that all miss, and tells after each whether they are taken for a sweep. */
function watch(): { detector: TurnDetector; read(key: number): boolean } {
  const detector = new TurnDetector()
  detector.resize(ENTRIES)
  const cameAt = new Map<number, number>()
  let reads = 0
  const read = (key: number): boolean => {
    const tick = Math.floor((++reads * 32) / ENTRIES)
    detector.read()
    const came = cameAt.get(key)
    if (came !== undefined) detector.returned(tick - came)
    detector.advance(tick & 0xffff)
    cameAt.set(key, tick)
    return detector.sweeping
  }
  return { detector, read }
}

function* backAndForth(keys: number, reads: number): Generator<number> {
  const turn = 2 * keys - 2
  for (let i = 0; i < reads; i++) yield i % turn < keys ? i % turn : turn - (i % turn)
}

test.each([1.5, 2, 4])(
  'a scan from end to end and back over %f times what fits is a sweep from its fifth turn on',
  ratio => {
    const { read } = watch()
    const keys = ENTRIES * ratio
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

test('a sweep is over some passes after its last turn, and its ticks may wrap meanwhile', () => {
  const { read } = watch()
  // 16 bits of ticks are 262,144 reads.
  for (const key of backAndForth(300, 300_000)) read(key)
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
