import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GrantAudit } from './grant-audit.ts'

const WIDTH = 1_000

describe('GrantAudit', () => {
  test('tells by how much the bound was exceeded, and remembers the worst', () => {
    const audit = new GrantAudit(WIDTH)
    audit.record(12, 0)
    expect(audit.overshoot(5, 0.002)).toBe(5)
    audit.record(-6, 10)
    expect(audit.overshoot(5, 0.002)).toBe(5)
  })

  test('grants of before do not count towards a new bound', () => {
    const audit = new GrantAudit(WIDTH)
    audit.record(12, 0)
    audit.reset()
    audit.record(7, 20)
    expect(audit.overshoot(5, 0.002)).toBe(0)
  })

  const grants = fc.array(fc.tuple(fc.nat(90_000), fc.integer({ min: -3, max: 9 })), {
    minLength: 1,
    maxLength: 40,
    size: 'max',
  })

  test('finds the worst stretch of whole buckets of the last minute, as summing up each would', () =>
    fc.assert(
      fc.property(grants, fc.nat(20), fc.nat(10), (plan, allowance, perBucket) => {
        const audit = new GrantAudit(WIDTH)
        let now = 0
        let start: number | undefined
        const sums: number[] = []
        for (const [pause, cost] of plan) {
          now += pause
          const bucket = start === undefined ? 0 : Math.floor((now - start) / WIDTH)
          // After a minute without a grant it begins anew, at that grant.
          if (start === undefined || bucket - (sums.length - 1) >= 60) {
            start = now
            sums.length = 0
            sums.push(0)
          } else while (sums.length <= bucket) sums.push(0)
          sums[sums.length - 1]! += cost
          audit.record(cost, now)
        }
        let worst = -allowance
        const kept = sums.slice(-60)
        for (let first = 0; first < kept.length; first++) {
          let sum = 0
          for (let last = first; last < kept.length; last++) {
            sum += kept[last]!
            const excess = sum - allowance - (last - first + 1) * perBucket
            if (sum > 0) worst = Math.max(worst, excess)
          }
        }
        expect(audit.overshoot(allowance, perBucket / WIDTH)).toBeCloseTo(worst, 6)
      }),
      { numRuns: runs(300) },
    ))
})
