import { VirtualClock } from '@millrace/testkit'
import { beforeEach, expect, test } from 'vitest'
import { CircuitBreaker } from './circuit-breaker.ts'

let clock: VirtualClock
let breaker: CircuitBreaker
beforeEach(() => {
  clock = new VirtualClock()
  breaker = new CircuitBreaker({ failures: 3, cooldown: 100 }, clock)
})

const open = () => {
  while (breaker.state === 'closed') breaker.fail()
}

test('opens after so many failures in a row, and a success starts the count anew', () => {
  for (let i = 0; i < 2; i++) breaker.fail()
  breaker.succeed()
  for (let i = 0; i < 2; i++) breaker.fail()
  expect([breaker.state, breaker.admit()]).toEqual(['closed', true])
  breaker.fail()
  expect([breaker.state, breaker.admit()]).toEqual(['open', false])
})

test('after the cooldown exactly one call goes through, and its success closes', () => {
  open()
  clock.advance(99)
  expect(breaker.admit()).toBe(false)
  clock.advance(1)
  expect([breaker.admit(), breaker.admit(), breaker.state]).toEqual([true, false, 'half-open'])
  breaker.succeed()
  expect([breaker.admit(), breaker.admit()]).toEqual([true, true])
})

test('each failed trial doubles the cooldown up to its limit, and a success resets it', () => {
  open()
  const waits: number[] = []
  for (let trial = 0; trial < 7; trial++) {
    const begun = clock.now()
    while (!breaker.admit()) clock.advance(1)
    waits.push(clock.now() - begun)
    breaker.fail()
  }
  expect(waits).toEqual([100, 200, 400, 800, 1_600, 2_000, 2_000])
  clock.advance(2_000)
  breaker.admit()
  breaker.succeed()
  open()
  clock.advance(100)
  expect(breaker.admit()).toBe(true)
  expect(breaker.opened).toBe(9)
})

test('late failures of calls sent before do not lengthen the cooldown', () => {
  open()
  clock.advance(50)
  breaker.fail()
  clock.advance(50)
  expect(breaker.admit()).toBe(true)
})

test('bad options are named', () => {
  expect(() => new CircuitBreaker({ failures: 0 }, clock)).toThrow(
    'Expected `breaker.failures` to be an integer of at least 1, got 0',
  )
  expect(() => new CircuitBreaker({ cooldown: Infinity }, clock)).toThrow('`breaker.cooldown`')
  expect(() => new CircuitBreaker({ coolDown: 5 } as never, clock)).toThrow('`cooldown`?')
})
