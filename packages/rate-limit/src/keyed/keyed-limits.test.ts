import { VirtualClock } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { InvalidOptionError } from '../errors.ts'
import { KeyedLimiter } from './keyed-limiter.ts'
import { KeyedLimits } from './keyed-limits.ts'
import { KeyedWindow } from './keyed-window.ts'

function setUp() {
  const clock = new VirtualClock()
  const second = new KeyedLimiter({ rate: 1, burst: 2, name: 'second', clock })
  const day = new KeyedWindow({ limit: 3, window: 86_400_000, name: 'day', clock })
  return { clock, second, day, limits: new KeyedLimits([second, day]) }
}

test('a call passes all limits of its key or none', async () => {
  const { clock, second, day, limits } = setUp()
  expect(await limits.decide('ann', 2)).toMatchObject({
    allowed: true,
    remaining: 0,
    limiter: second,
  })
  expect(await limits.decide('ann')).toMatchObject({ allowed: false, limiter: second })
  expect(day.get('ann').remaining).toBe(1)
  clock.advance(2_000)
  expect(await limits.tryAcquire('ann')).toBe(true)
  clock.advance(2_000)
  // The day refuses, and the second has its token back.
  const refused = await limits.decide('ann')
  expect(refused).toMatchObject({ allowed: false, limiter: day, parts: [{ limiter: day }] })
  expect(refused.retryAfter).toBeGreaterThan(86_000_000)
  expect(second.get('ann').remaining).toBe(2)
  expect(await limits.tryAcquire('bob', 2)).toBe(true)
  expect(limits.name).toBe('second+day')
})

test('what a limit throws leaves nothing spent in those before it', async () => {
  const { second, limits: both } = setUp()
  const broken = {
    name: 'broken',
    decide: () => Promise.reject(new Error('gone')),
  }
  const limits = new KeyedLimits([second, broken])
  await expect(limits.decide('ann')).rejects.toThrow('gone')
  expect(second.get('ann').remaining).toBe(2)
  await both.decide('ann', 2)
  await both.refund('ann', 2)
  expect(await both.tryAcquire('ann', 2)).toBe(true)
})

test('a key is looked at, blocked, penalized and reset in all its limits', async () => {
  const { clock, second, day, limits } = setUp()
  expect(await limits.get('ann')).toMatchObject({ allowed: true, remaining: 2, limiter: second })
  await limits.penalize('ann', 2)
  expect([second.get('ann').remaining, day.get('ann').remaining]).toEqual([0, 1])
  clock.advance(1_000)
  await limits.decide('ann')
  expect(await limits.get('ann')).toMatchObject({ allowed: false, limiter: day })
  await limits.reset('ann')
  expect(await limits.get('ann')).toMatchObject({ allowed: true, remaining: 2 })
  await limits.block('ann', 5_000)
  for (const one of [second, day]) expect(one.get('ann').retryAfter).toBe(5_000)
  expect(await limits.tryAcquire('ann')).toBe(false)
  clock.advance(5_000)
  expect(await limits.tryAcquire('ann')).toBe(true)
  const bare = { name: 'bare', decide: second.decide.bind(second) }
  const partly = new KeyedLimits([second, bare])
  await limits.reset('ann')
  await expect(partly.block('ann', 1_000)).rejects.toThrow('with a method `block`')
  expect(second.get('ann').allowed).toBe(true)
})

test('limits that cannot be passed together are refused', () => {
  const { second } = setUp()
  const final = { name: 'final', decide: second.decide.bind(second) }
  expect(() => new KeyedLimits([])).toThrow(InvalidOptionError)
  expect(() => new KeyedLimits([second, second])).toThrow('each contained once')
  expect(() => new KeyedLimits([final, second])).toThrow('take refunds, but for the last')
  expect(() => new KeyedLimits([second, final])).not.toThrow()
  expect(() => new KeyedLimits([second, {} as never])).toThrow('limiter by key')
})
