import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { LONGEST_DELAY, monotonicClock, setSystemTimer, wallClock } from './clock.ts'

describe('system timers', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('reach beyond the longest delay of Node, which would fire at once', () => {
    const fired = vi.fn()
    setSystemTimer(fired, 3 * LONGEST_DELAY + 10)
    vi.advanceTimersByTime(3 * LONGEST_DELAY + 9)
    expect(fired).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(fired).toHaveBeenCalledTimes(1)
  })

  test('of Infinity never fire, and can be cancelled in any step', () => {
    const fired = vi.fn()
    const timer = setSystemTimer(fired, Infinity)
    vi.advanceTimersByTime(10 * LONGEST_DELAY)
    timer.cancel()
    expect(vi.getTimerCount()).toBe(0)
    expect(fired).not.toHaveBeenCalled()
  })

  test('are never early by a fraction of a millisecond', () => {
    const fired = vi.fn()
    setSystemTimer(fired, 5.1)
    vi.advanceTimersByTime(5)
    expect(fired).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(fired).toHaveBeenCalledTimes(1)
  })
})

test('the monotonic clock has fractions and never steps back, the wall clock tells the date', () => {
  let last = monotonicClock.now()
  for (let i = 0; i < 10_000; i++) {
    const now = monotonicClock.now()
    expect(now).toBeGreaterThanOrEqual(last)
    last = now
  }
  expect(last % 1).not.toBe(0)
  const before = Date.now()
  const now = wallClock.now()
  expect(now >= before && now <= Date.now()).toBe(true)
})
