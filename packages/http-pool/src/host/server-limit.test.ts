import { describe, expect, test } from 'vitest'
import { serverQuota } from './rate-limit-fields.ts'
import { ServerLimit } from './server-limit.ts'

describe('serverQuota', () => {
  test.each([
    [{ ratelimit: '"default";r=50;t=30' }, { remaining: 50, reset: 30_000, limit: undefined }],
    [
      { 'ratelimit-policy': '"default";q=100;w=60', ratelimit: '"default";r=50;t=30' },
      { remaining: 50, reset: 30_000, limit: 100 },
    ],
    [
      {
        'ratelimit-policy': '"burst";q=100;w=60,"daily";q=1000;w=86400',
        ratelimit: '"burst";r=50;t=30, "daily";r=7;t=600',
      },
      { remaining: 7, reset: 600_000, limit: 1000 },
    ],
    [{ 'ratelimit-policy': '"b";q=9999;qu="content-bytes"', ratelimit: '"b";r=1;t=9' }, undefined],
    [{ ratelimit: '"default";r=-5;t=30' }, undefined],
    [{ ratelimit: '"default";r=5' }, undefined],
    [{ ratelimit: ';;;=,=' }, undefined],
    [
      { 'x-ratelimit-limit': '60', 'x-ratelimit-remaining': '3', 'x-ratelimit-reset': '12' },
      { remaining: 3, reset: 12_000, limit: 60 },
    ],
    [
      { 'x-ratelimit-remaining': '3', 'x-ratelimit-reset': '1790000010' },
      { remaining: 3, reset: 10_000, limit: undefined },
    ],
    [
      { 'ratelimit-limit': '10', 'ratelimit-remaining': '0', 'ratelimit-reset': '7' },
      { remaining: 0, reset: 7_000, limit: 10 },
    ],
    [
      { 'x-ratelimit-remaining': '3', 'x-ratelimit-reset': '1790000010000' },
      { remaining: 3, reset: 10_000, limit: undefined },
    ],
    [
      // A clock here that is a day off changes nothing.
      {
        'x-ratelimit-remaining': '3',
        'x-ratelimit-reset': '1790086410',
        date: new Date(1_790_086_400_000).toUTCString(),
      },
      { remaining: 3, reset: 10_000, limit: undefined },
    ],
    [{}, undefined],
  ])('%j', (headers, expected) => {
    expect(serverQuota(headers, () => 1_790_000_000_000)).toEqual(expected)
  })
})

describe('ServerLimit', () => {
  /** In ms, how long the next attempt waits; it does. */
  const take = (limit: ServerLimit, now: number): number => {
    const delay = limit.delay(now)
    limit.take(now)
    return delay
  }

  test('sends no more than what is left before the reset', () => {
    const limit = new ServerLimit()
    expect(take(limit, 0)).toBe(0)
    limit.learn({ remaining: 3, reset: 10_000, limit: undefined }, 0)
    expect([1, 2, 3].map(now => take(limit, now))).toEqual([0, 0, 0])
    expect(take(limit, 4_000)).toBe(6_000)
    expect(take(limit, 10_000)).toBe(0)
  })

  test('spreads the last fifth over the rest of the window', () => {
    const limit = new ServerLimit()
    limit.learn({ remaining: 10, reset: 10_000, limit: 100 }, 0)
    const waits = Array.from({ length: 10 }, () => take(limit, 0))
    expect(waits[0]).toBe(0)
    expect(waits[1]).toBeCloseTo(1_000)
    expect(waits[9]).toBeCloseTo(9_000)
  })

  test('an older response of the same window gives nothing back', () => {
    const limit = new ServerLimit()
    limit.learn({ remaining: 1, reset: 10_000, limit: undefined }, 0)
    limit.learn({ remaining: 5, reset: 10_000, limit: undefined }, 100)
    expect(take(limit, 200)).toBe(0)
    expect(take(limit, 200)).toBeGreaterThan(9_000)
  })

  test('waits out a refusal', () => {
    const limit = new ServerLimit()
    limit.block(2_000, 0)
    expect(take(limit, 500)).toBe(1_500)
    expect(take(limit, 2_000)).toBe(0)
  })

  test('no response shuts the host out for more than a day', () => {
    const day = 24 * 3_600_000
    for (const wait of [1e15, Infinity]) {
      const refused = new ServerLimit()
      refused.block(wait, 0)
      expect(refused.delay(0)).toBe(day)
      const spent = new ServerLimit()
      spent.learn({ remaining: 0, reset: wait, limit: undefined }, 0)
      expect(spent.delay(0)).toBe(day)
    }
  })
})
