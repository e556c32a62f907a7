import { resolveOptions } from '@millrace/kit'
import { runs, seededRandom } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HEDGE_RULES, Hedge } from './hedge.ts'
import { LatencyWindow } from './latency-window.ts'

describe('LatencyWindow', () => {
  test('gives the quantile within 5 %', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.1, max: 10_000, noNaN: true }), {
          minLength: 20,
          maxLength: 200,
        }),
        fc.constantFrom(0.5, 0.9, 0.95, 0.99),
        (latencies, quantile) => {
          const window = new LatencyWindow(quantile, 1_000_000, latencies.length)
          for (const latency of latencies) window.record(latency, 0)
          const sorted = latencies.toSorted((a, b) => a - b)
          const exact = sorted[Math.ceil(quantile * sorted.length - 1e-9) - 1]!
          expect(window.value).toBeGreaterThanOrEqual(exact * 0.9999)
          expect(window.value).toBeLessThanOrEqual(exact * 1.0501)
        },
      ),
      { numRuns: runs(200) },
    )
  })

  test('has none until there are enough, and follows a change', () => {
    const window = new LatencyWindow(0.95, 1_000, 20)
    for (let i = 0; i < 19; i++) window.record(10, i)
    expect(window.value).toBeUndefined()
    window.record(10, 20)
    expect(window.value).toBeCloseTo(10, 0)
    for (let second = 1; second < 10; second++) {
      for (let i = 0; i < 20; i++) window.record(100, second * 1_000)
    }
    expect(window.value).toBeGreaterThanOrEqual(100)
  })
})

describe('Hedge', () => {
  test('sends at most its share, after what a quiet time has saved', () => {
    const hedge = new Hedge(resolveOptions('hedge', { extra: 0.05 }, HEDGE_RULES))
    const random = seededRandom(1)
    let sent = 0
    for (let i = 0; i < 10_000; i++) {
      hedge.deposit()
      if (random() < 0.5 || !hedge.isAffordable) continue
      hedge.withdraw()
      sent++
    }
    expect(sent).toBeLessThanOrEqual(500)
    expect(sent).toBeGreaterThan(490)
  })

  test('waits as long as the quantile says, and not less than the minimum', () => {
    const hedge = new Hedge(
      resolveOptions('hedge', { minDelay: 5, minimumAnswers: 10 }, HEDGE_RULES),
    )
    expect(hedge.delay).toBeUndefined()
    for (let i = 0; i < 10; i++) hedge.record(0.3, 0)
    expect(hedge.delay).toBe(5)
    expect(new Hedge(resolveOptions('hedge', { delay: 30 }, HEDGE_RULES)).delay).toBe(30)
  })
})
