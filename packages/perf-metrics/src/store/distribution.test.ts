import { runs, seededRandom } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Registry } from '../index.ts'
import { coarser, countUpTo, fit, merge, quantile } from './distribution.ts'
import { quantileError } from './exponential.ts'

const shapes: Record<string, (random: () => number) => number> = {
  uniform: random => 0.001 + random(),
  exponential: random => -Math.log(1 - random()) * 0.02,
  lognormal: random => Math.exp(gauss(random) * 1.5 - 4),
  pareto: random => 0.005 / (1 - random()) ** (1 / 1.2),
  bimodal: random => (random() < 0.9 ? 0.002 : 0.8) * (1 + 0.1 * gauss(random)),
}

function gauss(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

describe('quantiles', () => {
  it.each(Object.keys(shapes))('of %s values are within the stated error', name => {
    const random = seededRandom(7)
    const histogram = new Registry().histogram('h')
    const values = Array.from({ length: 50_000 }, () => shapes[name]!(random))
    for (const value of values) histogram.observe(value)
    values.sort((a, b) => a - b)
    const { schema } = histogram.distribution()
    const bound = quantileError(schema)
    expect(bound).toBeLessThan(0.011)
    for (const q of [0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1]) {
      const exact = values[Math.max(0, Math.ceil(q * values.length) - 1)]!
      const error = Math.abs(histogram.quantile(q) - exact) / exact
      expect(error, `p${q * 100}`).toBeLessThanOrEqual(bound + 1e-12)
    }
  })

  it.each([
    [Number.MAX_VALUE, Number.MAX_VALUE, 1],
    [1e-30, 1, 1e300],
    [5, 5.001, 5.002],
  ])('of 0 and 1 are the least and the largest value, however far apart: %j', (...seen) => {
    const histogram = new Registry().histogram('h', { maxBuckets: 80 })
    for (const value of seen) histogram.observe(value)
    expect([0, 1].map(q => histogram.quantile(q))).toEqual([Math.min(...seen), Math.max(...seen)])
  })

  it('of nothing are not a number', () => {
    expect(new Registry().histogram('h').quantile(0.5)).toBeNaN()
  })

  it('widen their error rather than the memory when values span the whole range', () => {
    const histogram = new Registry().histogram('h', { maxBuckets: 80 })
    for (let exponent = -120; exponent < 1000; exponent++) histogram.observe(1.5 * 2 ** exponent)
    const d = histogram.distribution()
    expect(d.counts.length).toBeLessThanOrEqual(80)
    expect(Array.from(d.counts).reduce((a, b) => a + b, 0)).toBe(1120)
  })
})

const values = fc.array(fc.double({ min: 0, max: 1e12, noNaN: true }), { maxLength: 200 })

describe('merging', () => {
  it('equals having observed everything in one place', () => {
    fc.assert(
      fc.property(values, values, fc.integer({ min: 80, max: 700 }), (a, b, maxBuckets) => {
        const metrics = new Registry()
        const [left, right, both] = ['l', 'r', 'b'].map(name =>
          metrics.histogram(name, { maxBuckets }),
        )
        for (const v of a) left!.observe(v)
        for (const v of b) right!.observe(v)
        for (const v of [...a, ...b]) both!.observe(v)
        const merged = merge(left!.distribution(), right!.distribution())
        const whole = both!.distribution()
        const schema = Math.min(merged.schema, whole.schema)
        const view = ({ low, counts, zeros, count, min, max }: typeof merged): object => ({
          low: counts.length === 0 ? 0 : low,
          counts: Array.from(counts),
          zeros,
          count,
          min,
          max,
        })
        expect(view(coarser(merged, schema))).toEqual(view(coarser(whole, schema)))
        expect(merged.sum / (whole.sum || 1)).toBeCloseTo(whole.sum === 0 ? 0 : 1, 9)
      }),
      { numRuns: runs(500) },
    )
  })

  it('keeps ranks when made coarser', () => {
    const histogram = new Registry().histogram('h')
    for (let i = 1; i <= 1000; i++) histogram.observe(i)
    const d = fit(histogram.distribution(), 20)
    expect(d.counts.length).toBeLessThanOrEqual(20)
    expect(Math.abs(quantile(d, 0.5) / 500 - 1)).toBeLessThanOrEqual(quantileError(d.schema))
    expect(countUpTo(d, 1024)).toBe(1000)
    expect(countUpTo(d, 0)).toBe(0)
  })
})
