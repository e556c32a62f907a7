import { VirtualClock } from '@millrace/testkit'
import { describe, expect, test } from 'vitest'
import {
  AcquireTimeoutError,
  InvalidOptionError,
  LimiterClosedError,
  QueueFullError,
} from '../errors.ts'
import { KeyedSemaphore } from './keyed-semaphore.ts'

describe('KeyedSemaphore', () => {
  test('no key has more holders than permits, whatever the other keys do', async () => {
    const semaphore = new KeyedSemaphore({ permits: 2, clock: new VirtualClock() })
    for (const key of ['a', 'b', '', '__proto__']) {
      const held = [1, 2, 3].map(() => semaphore.tryAcquire(key) !== undefined)
      expect(held).toEqual([true, true, false])
    }
    expect(semaphore.stats()).toEqual({ keys: 4, active: 8, waiting: 0 })
  })

  test('who waits for a key is let in by its releases alone, in order', async () => {
    const semaphore = new KeyedSemaphore({ permits: 1 })
    const a = await semaphore.acquire('a')
    const b = await semaphore.acquire('b')
    const log: string[] = []
    const first = semaphore.run('a', () => log.push('first'))
    const second = semaphore.run('a', () => log.push('second'))
    b.release()
    await new Promise(resolve => setImmediate(resolve))
    expect(log).toEqual([])
    a.release()
    await Promise.all([first, second])
    expect(log).toEqual(['first', 'second'])
  })

  test('a permit may weigh several, but no more than there are', async () => {
    const semaphore = new KeyedSemaphore({ permits: 3 })
    const heavy = await semaphore.acquire('a', 2)
    expect(semaphore.tryAcquire('a', 2)).toBeUndefined()
    expect(semaphore.tryAcquire('b', 2)).toBeDefined()
    heavy.release()
    expect(semaphore.tryAcquire('a', 3)).toBeDefined()
    await expect(semaphore.acquire('a', 4)).rejects.toThrow(InvalidOptionError)
  })

  test('a wait ends with its timeout or its signal, and the queue of a key is bounded', async () => {
    const clock = new VirtualClock()
    const semaphore = new KeyedSemaphore({ permits: 1, maxQueue: 2, clock })
    const held = await semaphore.acquire('a')
    const controller = new AbortController()
    const late = expect(semaphore.acquire('a', { timeout: 100 })).rejects.toThrow(
      AcquireTimeoutError,
    )
    const aborted = expect(semaphore.acquire('a', { signal: controller.signal })).rejects.toBe(
      'off',
    )
    await expect(semaphore.acquire('a')).rejects.toThrow(QueueFullError)
    expect(semaphore.tryAcquire('b')).toBeDefined()
    controller.abort('off')
    clock.advance(100)
    await Promise.all([late, aborted])
    held.release()
    expect(semaphore.tryAcquire('a')).toBeDefined()
  })

  test('keys that nobody holds or waits for take no memory', async () => {
    const semaphore = new KeyedSemaphore({ permits: 1 })
    for (let i = 0; i < 1_000; i++) await semaphore.run(`key ${i}`, () => i)
    await expect(
      semaphore.run('broken', () => {
        throw new Error('its own')
      }),
    ).rejects.toThrow('its own')
    await expect(semaphore.acquire('heavy', 2)).rejects.toThrow(InvalidOptionError)
    expect(semaphore.stats().keys).toBe(0)

    const permits = await Promise.all(['a', 'b', 'c'].map(key => semaphore.acquire(key)))
    const waiting = semaphore.acquire('a')
    for (const permit of permits) permit.release()
    const last = await waiting
    expect(semaphore.stats()).toEqual({ keys: 1, active: 1, waiting: 0 })
    last.release()
    await new Promise(resolve => setImmediate(resolve))
    expect(semaphore.stats().keys).toBe(0)
  })

  test('closing rejects who waits and who comes, and leaves holders alone', async () => {
    const semaphore = new KeyedSemaphore({ permits: 1 })
    const held = await semaphore.acquire('a')
    const waiting = expect(semaphore.acquire('a')).rejects.toThrow(LimiterClosedError)
    semaphore.close()
    await waiting
    await expect(semaphore.acquire('b')).rejects.toThrow(LimiterClosedError)
    await expect(semaphore.run('b', () => {})).rejects.toThrow(LimiterClosedError)
    expect(semaphore.stats().active).toBe(1)
    held.release()
    await new Promise(resolve => setImmediate(resolve))
    expect(semaphore.stats()).toEqual({ keys: 0, active: 0, waiting: 0 })
  })

  test('bad options and keys', () => {
    expect(() => new KeyedSemaphore({ permits: 0 })).toThrow(InvalidOptionError)
    expect(() => new KeyedSemaphore({ permits: 1, maxKeys: 3 } as never)).toThrow('`maxKeys`')
    expect(() => new KeyedSemaphore({ permits: 1 }).tryAcquire(1 as never)).toThrow('`key`')
  })
})
