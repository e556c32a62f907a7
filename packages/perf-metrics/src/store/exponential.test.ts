import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { coarsen, finestIndex, OCTAVE, upperBound, ZERO_THRESHOLD } from './exponential.ts'

const positive = fc.double({
  min: ZERO_THRESHOLD,
  max: Number.MAX_VALUE,
  noNaN: true,
  minExcluded: true,
})

describe('exponential buckets', () => {
  it('puts every value in the bucket whose bounds enclose it', () => {
    fc.assert(
      fc.property(positive, value => {
        const index = finestIndex(value)
        expect(value <= upperBound(index, 5)).toBe(true)
        expect(value > upperBound(index - 1, 5)).toBe(true)
      }),
      { numRuns: runs(20_000) },
    )
  })

  it('puts a bound in its own bucket, and its neighbours on either side of it', () => {
    for (let index = -128 * 32 + 1; index < 1023 * 32; index += 7) {
      const bound = upperBound(index, 5)
      expect(finestIndex(bound)).toBe(index)
      expect(finestIndex(nextUp(bound))).toBe(index + 1)
    }
  })

  it('has bounds that are the doubles nearest to the powers', () => {
    // Products of neighbours are exact enough to tell a neighbouring double apart.
    for (let k = 0; k < 32; k++) expect(OCTAVE[k]).toBeCloseTo(2 ** (k / 32), 15)
    // The values of Prometheus' table for schema 3.
    expect(OCTAVE[4]).toBe(1.0905077326652577)
    expect(OCTAVE[8]).toBe(1.189207115002721)
    expect(OCTAVE[16]).toBe(Math.SQRT2)
    expect(OCTAVE[28]).toBe(1.8340080864093424)
  })

  it('coarsens to the bucket that encloses the finer one', () => {
    fc.assert(
      fc.property(positive, fc.integer({ min: 1, max: 9 }), (value, shift) => {
        const index = coarsen(finestIndex(value), shift)
        const schema = 5 - shift
        expect(value <= upperBound(index, schema)).toBe(true)
        expect(value > upperBound(index - 1, schema)).toBe(true)
      }),
      { numRuns: runs(5_000) },
    )
  })
})

function nextUp(value: number): number {
  const double = Float64Array.of(value)
  new BigInt64Array(double.buffer)[0]! += 1n
  return double[0]!
}
