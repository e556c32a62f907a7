import { nextWarning, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Cache } from '../cache/cache.ts'
import type { ListenerError } from '../errors.ts'
import { AdaptiveSize, type SizableCache, type SizeChange } from './adaptive-size.ts'

/** A cache of which only the counters and the limit matter. */
class Counted implements SizableCache {
  hits = 0
  misses = 0
  readonly sizes: number[] = []

  read(hitRate: number, reads = 100): void {
    this.hits += Math.round(reads * hitRate)
    this.misses += Math.round(reads * (1 - hitRate))
  }

  stats() {
    return { hits: this.hits, misses: this.misses }
  }

  resize({ maxEntries }: { maxEntries?: number | undefined }): void {
    this.sizes.push(maxEntries!)
  }
}

const options = { limit: 'maxEntries', initial: 1_000, min: 500, max: 2_000 } as const

function run(cache: Counted, sizer: AdaptiveSize, hitRates: readonly number[]): void {
  for (const rate of hitRates) {
    cache.read(rate)
    sizer.sample()
  }
}

test('grows by a fifth when the hit rate has fallen by 10 points, up to its bound', () => {
  const cache = new Counted()
  const changes: SizeChange[] = []
  using sizer = new AdaptiveSize(cache, { ...options, onResize: change => changes.push(change) })
  run(cache, sizer, [...Array(10).fill(0.9), ...Array(10).fill(0.79)])
  expect(sizer.size).toBe(1_200)
  expect(changes).toMatchObject([{ from: 1_000, to: 1_200 }])
  for (let i = 0; i < 6; i++) run(cache, sizer, [...Array(10).fill(0.9), ...Array(10).fill(0.7)])
  expect(sizer.size).toBe(2_000)
})

test('shrinks by a tenth when it is above 95 % and stable, down to its bound', () => {
  const cache = new Counted()
  using sizer = new AdaptiveSize(cache, options)
  run(cache, sizer, Array(20).fill(0.97))
  expect(sizer.size).toBe(900)
  for (let i = 0; i < 20; i++) run(cache, sizer, Array(20).fill(0.97))
  expect(sizer.size).toBe(500)
})

test('stays where neither holds, where there are few reads, and after a reset of the counters', () => {
  const cache = new Counted()
  using sizer = new AdaptiveSize(cache, options)
  run(cache, sizer, Array(40).fill(0.93))
  run(cache, sizer, [...Array(10).fill(0.9), ...Array(10).fill(0.81)])
  for (let i = 0; i < 50; i++) {
    cache.read(i % 2, 10)
    sizer.sample()
  }
  cache.hits = 0
  cache.misses = 0
  run(cache, sizer, Array(5).fill(0.9))
  expect(cache.sizes).toEqual([1_000])
})

test('the estimates of the cache have the last word', () => {
  const cache = new Counted()
  const estimate = (size: number, change: number) => ({
    policy: 'lru' as const,
    size,
    change,
    hitRate: 0.5,
  })
  let twice = 0.001
  const advised = Object.assign(cache, {
    advise: () => ({ estimates: [estimate(1, 0), estimate(0.5, -0.2), estimate(2, twice)] }),
  })
  using sizer = new AdaptiveSize(advised, options)
  run(cache, sizer, [...Array(10).fill(0.9), ...Array(10).fill(0.7)])
  run(cache, sizer, Array(40).fill(0.98))
  expect(sizer.size).toBe(1_000)
  twice = 0.05
  run(cache, sizer, [...Array(10).fill(0.9), ...Array(10).fill(0.7)])
  expect(sizer.size).toBe(1_200)
})

test('moves the limit of a real cache, and its timer ends with it', () => {
  const clock = new VirtualClock()
  const cache = new Cache<number, number>({ maxEntries: 1_000, clock })
  for (let key = 0; key < 1_000; key++) cache.set(key, key)
  const sizer = new AdaptiveSize(cache, { ...options, clock, interval: 1_000 })
  for (let i = 0; i < 20; i++) {
    for (let key = 0; key < 100; key++) cache.get(900 + key)
    clock.advance(1_000)
  }
  expect([sizer.size, cache.size]).toEqual([900, 900])
  sizer.close()
  expect(clock.pending).toBe(0)
})

test.each([
  [
    'throws',
    () => {
      throw new Error('no')
    },
  ],
  ['rejects', () => Promise.reject(new Error('no'))],
])(
  'a listener that %s is a warning of the process, and the size is moved all the same',
  async (_, onResize) => {
    const cache = new Counted()
    const warned = nextWarning<ListenerError>(({ listener }) => listener === 'onResize')
    using sizer = new AdaptiveSize(cache, { ...options, onResize })
    run(cache, sizer, Array(20).fill(0.98))
    expect([sizer.size, cache.sizes.at(-1)]).toEqual([900, 900])
    expect(await warned).toMatchObject({ cause: { message: 'no' } })
  },
)

test('never leaves its bounds, whatever the hit rates are', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 300 }), rates => {
      const cache = new Counted()
      using sizer = new AdaptiveSize(cache, options)
      run(cache, sizer, rates)
      expect(cache.sizes.every(size => size >= 500 && size <= 2_000)).toBe(true)
    }),
  )
})

test('bad options are named', () => {
  const cache = new Counted()
  expect(() => new AdaptiveSize(cache, { ...options, initial: 10 })).toThrow('`initial`')
  expect(() => new AdaptiveSize(cache, { ...options, min: -1 })).toThrow('`min`')
  expect(() => new AdaptiveSize(cache, { ...options, fall: 10 })).toThrow('`fall`')
  expect(() => new AdaptiveSize({} as never, options)).toThrow('`cache`')
})
