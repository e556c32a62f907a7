import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HostBrake } from '../host/host-brake.ts'
import { RetryBudget } from './retry-budget.ts'

/** Whether there was a retry to take. */
function spend(budget: RetryBudget, now: number): boolean {
  if (budget.balance(now) < 1) return false
  budget.withdraw(now)
  return true
}

describe('RetryBudget', () => {
  test('allows a share of the requests of the last ten seconds, and no more', () => {
    const budget = new RetryBudget(0.2, 0)
    expect(spend(budget, 0)).toBe(false)
    for (let i = 0; i < 100; i++) budget.deposit(i)
    let allowed = 0
    while (spend(budget, 500)) allowed++
    expect(allowed).toBe(20)
    expect(budget.balance(9_999)).toBe(0)
    expect(spend(budget, 10_000)).toBe(false)
  })

  test('the floor lets a quiet client retry', () => {
    const budget = new RetryBudget(0.2, 1)
    let allowed = 0
    while (spend(budget, 0)) allowed++
    expect(allowed).toBe(10)
    expect(budget.balance(10_000)).toBe(10)
  })

  test('over any history, retries within ten seconds stay below share and floor', () => {
    const step = fc.record({ wait: fc.nat(3_000), requests: fc.nat(20), retries: fc.nat(20) })
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (steps, ratio) => {
          const budget = new RetryBudget(ratio, 1)
          const requests: number[] = []
          const spent: number[] = []
          let now = 0
          for (const each of steps) {
            now += each.wait
            for (let i = 0; i < each.requests; i++) {
              budget.deposit(now)
              requests.push(now)
            }
            const from = (Math.floor(now / 1000) - 9) * 1000
            const within = (times: number[]) => times.filter(time => time >= from).length
            for (let i = 0; i < each.retries; i++) {
              if (!spend(budget, now)) continue
              spent.push(now)
              expect(within(spent)).toBeLessThanOrEqual(within(requests) * ratio + 10 + 1e-6)
            }
          }
        },
      ),
      { numRuns: runs(200) },
    )
  })
})

describe('HostBrake', () => {
  test('a row of failures stops retries, successes allow them again slowly', () => {
    const brake = new HostBrake(10)
    for (let i = 0; i < 4; i++) brake.failed()
    expect(brake.allowsRetry).toBe(true)
    brake.failed()
    expect(brake.allowsRetry).toBe(false)
    for (let i = 0; i < 100; i++) brake.failed()
    expect(brake.tokens).toBe(0)
    for (let i = 0; i < 50; i++) brake.succeeded()
    expect(brake.tokens).toBeCloseTo(5)
    for (let i = 0; i < 2; i++) brake.succeeded()
    expect(brake.allowsRetry).toBe(true)
    for (let i = 0; i < 1_000; i++) brake.succeeded()
    expect(brake.tokens).toBe(10)
  })
})
