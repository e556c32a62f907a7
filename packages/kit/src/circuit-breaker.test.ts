import { beforeEach, expect, test } from 'vitest'
import { breakerRule, CircuitBreaker } from './circuit-breaker.ts'

let time: number
const clock = { now: () => time }
let breaker: CircuitBreaker
beforeEach(() => {
  time = 0
  breaker = new CircuitBreaker(clock, { failures: 3, cooldown: 100 }, 20)
})

const passes = () => breaker.enter() === 0

const open = () => {
  while (breaker.state === 'closed') breaker.settle(false)
}

test('opens after so many failures in a row, and a success starts the count anew', () => {
  for (let i = 0; i < 2; i++) breaker.settle(false)
  breaker.settle(true)
  for (let i = 0; i < 2; i++) breaker.settle(false)
  expect([breaker.state, passes()]).toEqual(['closed', true])
  breaker.settle(false)
  expect([breaker.state, passes()]).toEqual(['open', false])
})

test('after the cooldown exactly one call goes through, and its success closes', () => {
  open()
  time += 99
  expect(passes()).toBe(false)
  time += 1
  expect([passes(), passes(), breaker.state]).toEqual([true, false, 'half-open'])
  breaker.settle(true)
  expect([passes(), passes()]).toEqual([true, true])
})

test('each failed trial doubles the cooldown up to its limit, and a success resets it', () => {
  open()
  const waits: number[] = []
  for (let trial = 0; trial < 7; trial++) {
    const begun = clock.now()
    while (!passes()) time += 1
    waits.push(clock.now() - begun)
    breaker.settle(false)
  }
  expect(waits).toEqual([100, 200, 400, 800, 1_600, 2_000, 2_000])
  time += 2_000
  passes()
  breaker.settle(true)
  open()
  time += 100
  expect(passes()).toBe(true)
  expect(breaker.opened).toBe(9)
})

test('late failures of calls sent before do not lengthen the cooldown', () => {
  open()
  time += 50
  breaker.settle(false)
  time += 50
  expect(passes()).toBe(true)
})

test('says how long to wait', () => {
  open()
  time += 30
  expect(breaker.enter()).toBe(70)
  time += 70
  expect([breaker.enter(), breaker.enter()]).toEqual([0, 100])
})

test('bad options are named, and false never opens', () => {
  const resolve = breakerRule(3, 100)
  expect(resolve('breaker', undefined)).toEqual({ failures: 3, cooldown: 100 })
  expect(resolve('breaker', false)).toEqual({ failures: Infinity, cooldown: 100 })
  expect(() => resolve('breaker', { failures: 0 })).toThrow(
    'Expected `breaker.failures` to be an integer of at least 1 or Infinity, got 0',
  )
  expect(() => resolve('breaker', { cooldown: Infinity })).toThrow('`breaker.cooldown`')
  expect(() => resolve('breaker', { coolDown: 5 })).toThrow('`cooldown`?')
})
