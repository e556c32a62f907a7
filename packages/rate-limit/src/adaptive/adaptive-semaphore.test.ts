import { VirtualClock } from '@millrace/testkit'
import { describe, expect, test } from 'vitest'
import { AdaptiveSemaphore, type AdaptiveSemaphoreOptions } from './adaptive-semaphore.ts'
import { Aimd } from './aimd.ts'
import { Gradient } from './gradient.ts'

/**
 * Eager callers and a peer that serves `capacity` calls at once in `base` ms each: beyond that they queue inside it, so
 * that a call takes longer by as much. Calls slower than `timeout` are dropped then.
 */
async function drive(
  semaphore: AdaptiveSemaphore,
  clock: VirtualClock,
  peer: { base: number; capacity: number; timeout?: number },
  seconds: number,
  callers = 300,
) {
  let inside = 0
  let stop = false
  const call = async () => {
    const permit = await semaphore.acquire()
    inside++
    const took = peer.base * Math.max(1, inside / peer.capacity)
    const timeout = peer.timeout ?? Infinity
    await new Promise<void>(resolve => clock.setTimer(resolve, Math.min(took, timeout)))
    inside--
    permit.release(took > timeout ? 'dropped' : 'success')
  }
  const loops = Array.from({ length: callers }, async () => {
    while (!stop) await call()
  })
  for (let ms = 0; ms < seconds * 1_000; ms += 10) await clock.advanceAsync(10)
  stop = true
  for (let ms = 0; ms < 60_000; ms += 500) await clock.advanceAsync(500)
  await Promise.all(loops)
}

function setUp(options: AdaptiveSemaphoreOptions = {}) {
  const clock = new VirtualClock()
  return { clock, semaphore: new AdaptiveSemaphore({ clock, window: 100, ...options }) }
}

describe('AdaptiveSemaphore', () => {
  test('gradient: rises to what the peer serves without queueing, and stays there', async () => {
    const { clock, semaphore } = setUp({ initial: 5 })
    await drive(semaphore, clock, { base: 20, capacity: 40 }, 20)
    const { limit } = semaphore.stats()
    expect(limit).toBeGreaterThan(40)
    // The tolerance lets a call take 1.5 times the fastest, and the baseline 1.5 times that.
    expect(limit).toBeLessThan(40 * 2.5)
  })

  test('gradient: falls when the peer loses capacity', async () => {
    const { clock, semaphore } = setUp({ initial: 60 })
    const peer = { base: 20, capacity: 60 }
    await drive(semaphore, clock, peer, 10)
    const before = semaphore.stats().limit
    peer.capacity = 15
    await drive(semaphore, clock, peer, 10)
    expect(semaphore.stats().limit).toBeLessThan(before / 2)
  })

  test('gradient: constant timeouts take the limit down to the minimum', async () => {
    const { clock, semaphore } = setUp({ initial: 100, min: 3 })
    await drive(semaphore, clock, { base: 500, capacity: 1, timeout: 100 }, 20)
    expect(semaphore.stats()).toMatchObject({ limit: 3, permits: 3 })
    expect(semaphore.stats().dropped).toBeGreaterThan(100)
  })

  test('gradient: an overload that lasts does not become the usual', () => {
    const gradient = new Gradient()
    let limit = 50
    for (let i = 0; i < 20; i++) {
      limit = gradient.update(limit, { rtt: 10, inflight: 50, dropped: false })
    }
    const grown = limit
    for (let i = 0; i < 200; i++) {
      limit = gradient.update(limit, { rtt: 60, inflight: 200, dropped: false })
    }
    expect(grown).toBeGreaterThan(50)
    expect(limit).toBeLessThan(1)
  })

  test('who does not use the limit does not change it', () => {
    const sample = { rtt: 10, inflight: 5, dropped: false }
    expect(new Gradient().update(50, sample)).toBe(50)
    expect(new Aimd().update(50, sample)).toBe(50)
  })

  test('aimd: one more per window in use, a tenth less on drops and slow windows', () => {
    const aimd = new Aimd({ timeout: 100 })
    expect(aimd.update(50, { rtt: 10, inflight: 25, dropped: false })).toBe(51)
    expect(aimd.update(50, { rtt: 10, inflight: 25, dropped: true })).toBe(45)
    expect(aimd.update(50, { rtt: 101, inflight: 25, dropped: false })).toBe(45)
  })

  test('aimd: oscillates around what the peer serves in time', async () => {
    const { clock, semaphore } = setUp({ algorithm: new Aimd(), initial: 5 })
    await drive(semaphore, clock, { base: 20, capacity: 20, timeout: 40 }, 20)
    const { limit } = semaphore.stats()
    expect(limit).toBeGreaterThanOrEqual(30)
    expect(limit).toBeLessThanOrEqual(45)
  })

  test('run measures, classifies failures and gives the permit back', async () => {
    const { semaphore } = setUp({ initial: 1 })
    expect(await semaphore.run(() => 'done')).toBe('done')
    const timeout = Object.assign(new Error('late'), { name: 'TimeoutError' })
    await expect(semaphore.run(() => Promise.reject(timeout))).rejects.toBe(timeout)
    await expect(semaphore.run(() => Promise.reject(new Error('other')))).rejects.toThrow('other')
    expect(semaphore.stats()).toMatchObject({ active: 0, granted: 3, dropped: 1, ignored: 1 })
  })

  test('permits are released once, by using too', async () => {
    const { semaphore } = setUp({ initial: 1 })
    {
      using permit = await semaphore.acquire()
      expect(permit.waited).toBe(0)
      expect(semaphore.tryAcquire()).toBeUndefined()
    }
    const permit = semaphore.tryAcquire()!
    permit.release('ignored')
    permit.release('dropped')
    expect(semaphore.stats()).toMatchObject({ active: 0, ignored: 1, dropped: 0 })
  })

  test.each([
    [{ max: 0 }, 'Expected `max` to be an integer of at least 1, got 0'],
    [
      { min: 10, max: 5 },
      'Expected `max` to be at least `min`, 10, got a positive integer of 1 digit',
    ],
    [
      { initial: 300 },
      'Expected `initial` to be between `min` and `max`, 1 and 200, got a positive integer of 3 digits',
    ],
    [
      { window: -1 },
      'Expected `window` to be a finite number above 0, got a negative integer of 1 digit',
    ],
  ])('refuses %o', (options, message) => {
    expect(() => setUp(options)).toThrow(message)
  })

  test('algorithms refuse what makes no sense', () => {
    expect(() => new Gradient({ tolerance: 0.5 })).toThrow(
      '`tolerance` to be a finite number of at least 1',
    )
    expect(() => new Gradient({ smoothing: 2 })).toThrow(
      '`smoothing` to be a number above 0 and up to 1',
    )
    expect(() => new Aimd({ backoff: 1 })).toThrow('`backoff` to be a number above 0 and below 1')
  })
})
