import { resolveOptions } from '@millrace/kit'
import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BREAKER_RULES, Breaker } from './breaker.ts'

const settings = resolveOptions('breaker', { minimumAttempts: 10, cooldown: 1_000 }, BREAKER_RULES)

function openBreaker(random = () => 0): Breaker {
  const breaker = new Breaker(settings, random)
  for (let i = 0; i < 10; i++) {
    breaker.admit(0)
    breaker.failed(0)
  }
  expect(breaker.state).toBe('open')
  return breaker
}

describe('Breaker', () => {
  test('opens at the ratio, not below the minimum of attempts', () => {
    const breaker = new Breaker(settings, () => 0)
    for (let i = 0; i < 9; i++) {
      expect(breaker.admit(0)).toBe(true)
      breaker.failed(0)
    }
    expect(breaker.state).toBe('closed')
    breaker.failed(0)
    expect(breaker.state).toBe('open')
    expect(breaker.admit(999)).toBe(false)
    expect(breaker.retryAfter(400)).toBe(600)
  })

  test('old failures do not count, however long nothing was sent', () => {
    const breaker = new Breaker(settings, () => 0)
    for (let i = 0; i < 9; i++) breaker.failed(0)
    breaker.failed(3_600_000)
    expect(breaker.state).toBe('closed')
  })

  test('lets one probe through at a time, and opens for twice as long if it fails', () => {
    const breaker = openBreaker()
    expect(breaker.admit(1_000)).toBe(true)
    expect(breaker.state).toBe('half-open')
    expect(breaker.admit(1_000)).toBe(false)
    breaker.failed(1_100)
    expect(breaker.state).toBe('open')
    expect(breaker.retryAfter(1_100)).toBe(2_000)
  })

  test('a probe that its caller aborts makes room for the next', () => {
    const breaker = openBreaker()
    expect(breaker.admit(1_000)).toBe(true)
    breaker.ignored()
    expect(breaker.admit(1_000)).toBe(true)
  })

  test('attempts from before the opening are neither probes nor news', () => {
    const breaker = new Breaker(settings, () => 0)
    for (let i = 0; i < 20; i++) expect(breaker.admit(0)).toBe(true)
    for (let i = 0; i < 10; i++) breaker.failed(0, 0)
    expect([breaker.admit(1_000), breaker.opened]).toEqual([true, 1])
    breaker.ignored(0)
    breaker.succeeded(1_000, 0)
    expect([breaker.state, breaker.admit(1_000)]).toEqual(['half-open', false])
    breaker.failed(1_000, 0)
    expect(breaker.state).toBe('half-open')
    breaker.succeeded(1_000, 1)
    expect(breaker.admit(1_000)).toBe(true)
  })

  test('comes back by degrees', () => {
    let random = 0.5
    const breaker = openBreaker(() => random)
    breaker.admit(1_000)
    breaker.succeeded(1_000)
    const shares: number[] = []
    for (let now = 1_000; now < 2_200; now += 200) {
      let admitted = 0
      for (let i = 0; i < 100; i++) {
        random = i / 100
        if (breaker.admit(now)) {
          breaker.succeeded(now)
          admitted++
        }
      }
      shares.push(admitted)
    }
    expect(shares).toEqual([5, 10, 20, 40, 80, 100])
    expect(breaker.state).toBe('closed')
  })

  test('failures on the way back open it again', () => {
    const breaker = openBreaker()
    breaker.admit(1_000)
    breaker.succeeded(1_000)
    for (let i = 0; i < 5; i++) {
      breaker.admit(1_100)
      breaker.failed(1_100)
    }
    expect(breaker.state).toBe('open')
  })

  test('in any history, an open breaker admits nothing and always comes back', () => {
    const step = fc.record({ wait: fc.nat(3_000), ok: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer(), (steps, seed) => {
        let state = seed >>> 0 || 1
        const random = () => {
          state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
          return state / 2 ** 32
        }
        const breaker = new Breaker(settings, random)
        let now = 0
        for (const { wait, ok } of steps) {
          now += wait
          const refused = breaker.refuses(now)
          const admitted = breaker.admit(now)
          if (refused) expect(admitted).toBe(false)
          if (!admitted) continue
          if (ok) breaker.succeeded(now)
          else breaker.failed(now)
        }
        for (let i = 0; i < 200 && breaker.state !== 'closed'; i++) {
          now += 1_000
          if (breaker.admit(now)) breaker.succeeded(now)
        }
        expect(breaker.state).toBe('closed')
      }),
      { numRuns: runs(200) },
    )
  })
})

test('opens after `failures` in a row, and a success in between starts the count anew', () => {
  const breaker = new Breaker(resolveOptions('breaker', { failures: 3 }, BREAKER_RULES), () => 0)
  const attempt = (succeeds: boolean) => {
    expect(breaker.admit(0)).toBe(true)
    if (succeeds) breaker.succeeded(0)
    else breaker.failed(0)
  }
  for (const succeeds of [false, false, true, false, false]) attempt(succeeds)
  expect(breaker.state).toBe('closed')
  attempt(false)
  expect(breaker.state).toBe('open')
  expect(breaker.admit(0)).toBe(false)
})
