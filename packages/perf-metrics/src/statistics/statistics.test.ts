import { seededRandom } from '@millrace/testkit'
import { describe, expect, it } from 'vitest'
import { Registry } from '../index.ts'
import type { Distribution } from '../store/distribution.ts'
import { binomialTail, normalTail } from './binomial.ts'
import { compareQuantile, mannWhitney } from './compare-distributions.ts'
import { predictionOf } from './prediction.ts'
import { sampleOf } from './sample.ts'

function observed(values: Iterable<number>): Distribution {
  const histogram = new Registry().histogram('h')
  for (const value of values) histogram.observe(value)
  return histogram.distribution()
}

function* drawn(n: number, random: () => number, scale = 1): Generator<number> {
  for (let i = 0; i < n; i++) yield -Math.log(1 - random()) * scale
}

describe('tails', () => {
  it('of the normal distribution are those of the tables', () => {
    expect(normalTail(0)).toBeCloseTo(0.5, 6)
    expect(normalTail(1.959964)).toBeCloseTo(0.025, 6)
    expect(normalTail(-1)).toBeCloseTo(0.8413447, 6)
    expect(normalTail(4)).toBeCloseTo(3.167e-5, 6)
  })

  it('of the binomial distribution are exact sums', () => {
    const choose = (n: number, k: number): number =>
      k === 0 ? 1 : (choose(n, k - 1) * (n - k + 1)) / k
    for (const [n, p] of [
      [10, 0.5],
      [40, 0.03],
      [25, 0.9],
    ] as const) {
      for (let k = 0; k <= n; k++) {
        let exact = 0
        for (let i = k; i <= n; i++) exact += choose(n, i) * p ** i * (1 - p) ** (n - i)
        expect(binomialTail(k, n, p)).toBeCloseTo(exact, 9)
      }
    }
  })

  it('of many trials meet those of few', () => {
    // Variance 396 and 405: on either side of the approximation.
    const exact = binomialTail(464, 40_400, 0.01)
    const approximated = binomialTail(474, 41_330, 0.01)
    expect(exact / approximated).toBeGreaterThan(0.8)
    expect(exact / approximated).toBeLessThan(1.25)
  })
})

describe('the comparison of a quantile', () => {
  it('raises a false alarm no more often than alpha says', () => {
    const random = seededRandom(3)
    let alarms = 0
    for (let i = 0; i < 400; i++) {
      const before = observed(drawn(1000, random))
      const after = observed(drawn(1000, random))
      const { p, change } = compareQuantile(before, after, 0.99, 0.1)
      if (p < 0.01 && change > 0.1) alarms++
    }
    expect(alarms).toBeLessThanOrEqual(12)
  })

  it('sees a slower tail that the bulk does not show', () => {
    const random = seededRandom(4)
    const before = observed(drawn(20_000, random))
    const slowTail = Array.from(drawn(20_000, random), (v, i) => (i % 50 === 0 ? v + 5 : v))
    const after = observed(slowTail)
    const { p, change } = compareQuantile(before, after, 0.99, 0.1)
    expect(p).toBeLessThan(1e-6)
    expect(change).toBeGreaterThan(0.2)
    expect(Math.abs(mannWhitney(before, after).delta)).toBeLessThan(0.05)
  })
})

describe('the Mann-Whitney test', () => {
  it('agrees with counting pairs', () => {
    const random = seededRandom(5)
    const a = Array.from(drawn(200, random))
    const b = Array.from(drawn(300, random, 1.4))
    let wins = 0
    for (const x of a) for (const y of b) wins += Math.sign(y - x)
    const { delta, z } = mannWhitney(observed(a), observed(b))
    expect(delta).toBeCloseTo(wins / (200 * 300), 2)
    expect(z).toBeGreaterThan(2)
  })

  it('finds nothing between equals, zeros and nothing', () => {
    const same = observed([0, 0, 1, 2])
    expect(mannWhitney(same, same)).toMatchObject({ z: 0, delta: 0 })
    expect(mannWhitney(observed([]), same)).toEqual({ z: 0, p: 1, delta: 0 })
  })
})

describe('a prediction from batches and windows of ten', () => {
  /** How often in `runs` the next `size` batches are as high as one in a hundred should be. */
  function alarms(runs: number, size: number, next: () => () => number): number {
    let found = 0
    for (let run = 0; run < runs; run++) {
      const draw = next()
      const batches = Array.from({ length: 240 }, draw)
      const windows = Array.from({ length: 24 }, (_, i) => mean(batches.slice(i * 10, i * 10 + 10)))
      const prediction = predictionOf(sampleOf(batches), sampleOf(windows), 10)!
      if (prediction.tail(mean(Array.from({ length: size }, draw)), size) < 0.01) found++
    }
    return found
  }
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length
  const random = seededRandom(8)
  const gaussian = (): number =>
    Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

  it.each([6, 10])('is wrong about noise no more often than it says, over %i batches', size => {
    expect(alarms(2_000, size, () => gaussian)).toBeLessThanOrEqual(30)
  })

  it('is wrong about drift no more often than it says', () => {
    const drifting = () => {
      let level = gaussian()
      return () => {
        level = 0.97 * level + Math.sqrt(1 - 0.97 ** 2) * gaussian()
        return level + 0.5 * gaussian()
      }
    }
    expect(alarms(2_000, 10, drifting)).toBeLessThanOrEqual(30)
  })

  it('sees a step of four deviations of a window', () => {
    const step = () => {
      let drawn = 0
      return () => gaussian() + (++drawn > 240 ? 4 / Math.sqrt(10) : 0)
    }
    expect(alarms(200, 10, step)).toBeGreaterThan(160)
  })

  it('needs something to go by, and is sure where nothing varies', () => {
    expect(predictionOf(undefined, undefined, 10)).toBe(undefined)
    const constant = predictionOf(sampleOf([1, 1, 1, 1, 1, 1]), undefined, 10)!
    expect([constant.tail(1, 1), constant.tail(1.1, 1)]).toEqual([1, 0])
  })

  it('of a level that wanders asks how far its steps are, not only where its mean is', () => {
    const random = seededRandom(3)
    const step = () => 0.02 * (random() + random() + random() + random() - 2)
    let early = 0
    let found = 0
    for (let run = 0; run < 300; run++) {
      const levels = [0]
      while (levels.length < 24) levels.push(levels.at(-1)! + 0.01 + step())
      const last = levels.at(-1)!
      const steps = sampleOf(levels.slice(1).map((level, i) => level - levels[i]!))
      const judged = (wander: boolean, level: number) =>
        predictionOf(undefined, sampleOf(levels), 5, wander ? { last, steps } : undefined)!.tail(
          level,
          5,
        )
      // What goes on as before, and what has doubled: the mean alone cannot tell the latter.
      if (judged(true, last + 0.01 + step()) < 0.01) early++
      if (judged(true, last + Math.LN2) < 1e-4) found++
      expect(judged(false, last + Math.LN2)).toBeGreaterThan(1e-4)
    }
    expect(early).toBeLessThanOrEqual(6)
    expect(found).toBe(300)
  })
})
