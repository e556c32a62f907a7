import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { nextWarning, VirtualClock } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { Cache } from '../cache/cache.ts'
import type { CacheOptions } from '../cache/cache-options.ts'
import { presets } from '../cache/presets.ts'
import type { ListenerError } from '../errors.ts'
import { memoryPressure } from './memory-pressure.ts'

test('scarce memory takes more and more from the cache, then closes it, and gives the limits back afterwards', () => {
  const clock = new VirtualClock()
  let share = 0.5
  using cache = new Cache<number, number>({
    clock,
    maxEntries: 1_000,
    memoryPressure: memoryPressure({
      shrinkAt: 0.7,
      stopAt: 0.85,
      interval: 100,
      usage: () => share,
    }),
  })
  for (let key = 0; key < 1_000; key++) cache.set(key, key)
  clock.advance(100)
  expect(cache.size).toBe(1_000)
  share = 0.75
  for (const left of [750, 375, 187]) {
    clock.advance(100)
    expect(cache.size).toBe(left)
  }
  share = 0.9
  clock.advance(100)
  expect(cache.size).toBe(93)
  cache.set(-1, -1)
  expect(cache.has(-1)).toBe(false)
  const [held] = cache.keys()
  cache.set(held!, 7)
  expect(cache.get(held!)).toBe(7)
  share = 0.2
  clock.advance(100)
  for (let key = 0; key < 2_000; key++) cache.set(key, key)
  expect(cache.size).toBe(1_000)
  // As little as the first time; half at once where memory is all but gone.
  share = 0.75
  clock.advance(100)
  expect(cache.size).toBe(750)
  share = 0.2
  clock.advance(100)
  share = 0.85
  clock.advance(100)
  expect(cache.size).toBe(375)
})

test('a cache that fills memory again and again keeps most of what there is memory for', () => {
  const clock = new VirtualClock()
  const affordable = 500
  using cache: Cache<number, number> = new Cache<number, number>({
    clock,
    maxEntries: 2 * affordable,
    memoryPressure: memoryPressure({
      shrinkAt: 0.7,
      stopAt: 0.9,
      interval: 100,
      usage: () => (cache.size > affordable ? 0.75 : 0.5),
    }),
  })
  let least = Infinity
  for (let key = 0; key < 20_000; key++) {
    cache.set(key, key)
    if (key % 20 === 0) clock.advance(100)
    if (key > affordable) least = Math.min(least, cache.size)
  }
  expect(least).toBeGreaterThan(0.7 * affordable)
})

test('a usage that cannot be told changes nothing, and is a warning of the process', async () => {
  const clock = new VirtualClock()
  let share: number | undefined = 0.75
  const usage = (): number => {
    if (share === undefined) throw new Error('unknown')
    return share
  }
  using cache = new Cache<number, number>({
    clock,
    maxEntries: 1_000,
    memoryPressure: memoryPressure({ shrinkAt: 0.7, interval: 100, usage }),
  })
  for (let key = 0; key < 1_000; key++) cache.set(key, key)
  clock.advance(100)
  share = undefined
  const warned = nextWarning<ListenerError>(({ listener }) => listener === 'usage')
  clock.advance(100)
  expect(cache.size).toBe(750)
  expect(await warned).toMatchObject({ cause: { message: 'unknown' } })
  share = 0.75
  clock.advance(100)
  expect(cache.size).toBe(375)
})

test('byte limits shrink too, and a resize under pressure waits', () => {
  const clock = new VirtualClock()
  let share = 0.9
  using cache = new Cache<number, number>({
    clock,
    maxBytes: 1_000,
    weigher: () => 10,
    memoryPressure: memoryPressure({ shrinkAt: 0.8, stopAt: 1, interval: 10, usage: () => share }),
  })
  for (let key = 0; key < 100; key++) cache.set(key, key)
  clock.advance(10)
  expect(cache.stats().bytes).toBe(750)
  cache.resize({ maxBytes: 2_000 })
  share = 0
  clock.advance(10)
  for (let key = 0; key < 300; key++) cache.set(key, key)
  expect(cache.stats().bytes).toBe(2_000)
})

test.each([
  [0.000_1, 750],
  [1, 1_000],
])(
  'the real measures are shares of what there is: of those from %f on, %i entries stay',
  (shrinkAt, left) => {
    const clock = new VirtualClock()
    using cache = new Cache<number, number>({
      clock,
      maxEntries: 1_000,
      memoryPressure: memoryPressure({ shrinkAt, stopAt: 1, interval: 1_000 }),
    })
    for (let key = 0; key < 1_000; key++) cache.set(key, key)
    clock.advance(1_000)
    expect(cache.size).toBe(left)
  },
)

test.each([
  ['ci', 50],
  ['development', 75],
  ['production', 100],
] as const)(
  'the preset %s takes values of up to %i MiB, and each of its options may be overridden',
  (name, mebibytes) => {
    const clock = new VirtualClock()
    const bytes = (count: number): Buffer => Buffer.allocUnsafe(count * 2 ** 20)
    using cache = new Cache<string, Buffer>({ ...presets[name], clock } as CacheOptions<
      string,
      Buffer
    >)
    cache.set('large', bytes(mebibytes - 1)).set('larger', bytes(mebibytes + 1))
    expect([cache.has('large'), cache.has('larger')]).toEqual([true, false])
    using smaller = new Cache<string, Buffer>({
      ...presets[name],
      maxBytes: 2 ** 20,
      clock,
    } as CacheOptions<string, Buffer>)
    expect(smaller.set('a', bytes(2)).size).toBe(0)
  },
)

test('a process with a small heap that stores several times as much as that does not run out of memory', async () => {
  const script = join(import.meta.dirname, 'heap-limit.fixture.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--conditions=millrace-source',
    '--max-old-space-size=128',
    script,
    '100',
  ])
  const { most, last } = JSON.parse(stdout) as { most: number; last: boolean }
  // What is left at the end depends on when V8 last collected what had been evicted.
  expect(most).toBeGreaterThan(10_000)
  expect(typeof last).toBe('boolean')
})
