import { runs, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  AcquireTimeoutError,
  InvalidOptionError,
  LimiterClosedError,
  QueueFullError,
} from '../errors.ts'
import { Semaphore } from './semaphore.ts'

/** Lets every promise continuation run. */
const turn = () => new Promise(resolve => setImmediate(resolve))

describe('Semaphore', () => {
  test('lets as many in as it has permits, the others in order', async () => {
    const semaphore = new Semaphore({ permits: 2 })
    const log: string[] = []
    const gates: (() => void)[] = []
    const enter = (name: string) =>
      semaphore.run(() => {
        log.push(name)
        return new Promise<string>(resolve => gates.push(() => resolve(name)))
      })
    const all = Promise.all(['a', 'b', 'c', 'd'].map(enter))
    await turn()
    expect(log).toEqual(['a', 'b'])
    gates[1]!()
    await turn()
    expect(log).toEqual(['a', 'b', 'c'])
    expect(semaphore.stats()).toMatchObject({ active: 2, waiting: 1 })
    gates[0]!()
    await turn()
    for (const open of gates) open()
    expect(await all).toEqual(['a', 'b', 'c', 'd'])
    expect(semaphore.stats()).toMatchObject({ active: 0, waiting: 0, granted: 4 })
  })

  test('a permit is given back by using, once', async () => {
    const semaphore = new Semaphore({ permits: 1 })
    {
      using permit = await semaphore.acquire()
      expect(permit.waited).toBe(0)
      expect(semaphore.tryAcquire()).toBeUndefined()
    }
    const permit = semaphore.tryAcquire()!
    permit.release()
    permit.release()
    expect(semaphore.stats()).toMatchObject({ active: 0, granted: 2, refused: 1 })
  })

  test('a released permit goes to the waiter, not to who comes in between', async () => {
    const semaphore = new Semaphore({ permits: 1 })
    const first = await semaphore.acquire()
    const waiting = semaphore.acquire()
    first.release()
    expect(semaphore.tryAcquire()).toBeUndefined()
    const second = await waiting
    expect(semaphore.stats().active).toBe(1)
    second.release()
  })

  test('run gives the permit back when the function throws, at once or later', async () => {
    const semaphore = new Semaphore({ permits: 1 })
    const failure = new Error('no')
    await expect(
      semaphore.run(() => {
        throw failure
      }),
    ).rejects.toBe(failure)
    await expect(semaphore.run(() => Promise.reject(failure))).rejects.toBe(failure)
    expect(semaphore.stats().active).toBe(0)
  })

  test('priority, timeout, abort and queue bound', async () => {
    const clock = new VirtualClock()
    const semaphore = new Semaphore({ permits: 1, maxQueue: 3, clock })
    const held = await semaphore.acquire()
    const controller = new AbortController()
    const late = semaphore.acquire({ timeout: 50 })
    const aborted = semaphore.acquire({ signal: controller.signal })
    const urgent = semaphore.acquire({ priority: 0 })
    await expect(semaphore.acquire()).rejects.toThrow(QueueFullError)
    await expect(semaphore.acquire({ timeout: 0 })).rejects.toThrow(AcquireTimeoutError)
    const expired = expect(late).rejects.toThrow('Limiter "semaphore" gave no permit within 50 ms')
    clock.advance(50)
    await expired
    controller.abort(new Error('gone'))
    await expect(aborted).rejects.toThrow('gone')
    clock.advance(10)
    held.release()
    expect((await urgent).waited).toBe(60)
    expect(semaphore.stats()).toEqual({
      permits: 1,
      active: 1,
      waiting: 0,
      granted: 2,
      refused: 2,
      timeouts: 1,
      aborts: 1,
    })
  })

  test('more permits let waiters in, fewer throw nobody out', async () => {
    const semaphore = new Semaphore({ permits: 1 })
    const permits = [await semaphore.acquire()]
    const waiting = [semaphore.acquire(), semaphore.acquire()]
    semaphore.setPermits(3)
    permits.push(...(await Promise.all(waiting)))
    semaphore.setPermits(1)
    const last = semaphore.acquire()
    permits[0]!.release()
    permits[1]!.release()
    await turn()
    expect(semaphore.stats()).toMatchObject({ active: 1, waiting: 1 })
    permits[2]!.release()
    ;(await last).release()
  })

  test('tells when the last has left and nobody waits', async () => {
    const semaphore = new Semaphore({ permits: 1 })
    await semaphore.onIdle()
    const log: string[] = []
    const permit = await semaphore.acquire()
    const waiting = semaphore.acquire()
    const controller = new AbortController()
    const aborted = semaphore.acquire({ signal: controller.signal }).catch(() => {})
    const idle = Promise.all([semaphore.onIdle(), semaphore.onIdle()]).then(() => log.push('idle'))
    permit.release()
    controller.abort()
    await aborted
    const last = await waiting
    await turn()
    expect(log).toEqual([])
    last.release()
    await idle
    // Whoever comes later is waited for anew.
    await semaphore.run(async () => {
      void semaphore.onIdle().then(() => log.push('idle again'))
      await turn()
      expect(log).toEqual(['idle'])
    })
    await semaphore.onIdle()
    expect(log).toEqual(['idle', 'idle again'])
  })

  test('disposal rejects who waits; holders may leave', async () => {
    const semaphore = new Semaphore({ permits: 1 })
    const held = await semaphore.acquire()
    const waiting = expect(semaphore.acquire()).rejects.toThrow(LimiterClosedError)
    semaphore[Symbol.dispose]()
    await waiting
    held.release()
    await expect(semaphore.run(() => 1)).rejects.toThrow(LimiterClosedError)
  })

  test.each([0, -1, 1.5, Number.NaN, Infinity])('refuses %d permits', permits => {
    expect(() => new Semaphore({ permits })).toThrow(InvalidOptionError)
    expect(() => new Semaphore({ permits })).toThrow(
      'Expected `permits` to be an integer of at least 1, got ',
    )
  })

  test('a mistake in the options is refused although a permit is free', async () => {
    const semaphore = new Semaphore({ permits: 1 })
    await expect(semaphore.acquire({ priority: 10 })).rejects.toThrow('Expected `priority`')
    await expect(semaphore.run(() => 1, { timeout: Number.NaN })).rejects.toThrow(
      'Expected `timeout`',
    )
    expect(semaphore.stats()).toMatchObject({ active: 0, granted: 0 })
  })

  test('never more inside than permits, in order, and nobody forgotten, whatever happens', () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(
          fc.oneof(
            fc.record({
              do: fc.constant('acquire' as const),
              timeout: fc.option(fc.nat(30), { nil: undefined }),
            }),
            fc.record({ do: fc.constant('acquire' as const), timeout: fc.constant(undefined) }),
            fc.record({ do: fc.constant('release' as const), which: fc.nat(5) }),
            fc.record({ do: fc.constant('abort' as const), which: fc.nat(30) }),
            fc.record({
              do: fc.constant('permits' as const),
              permits: fc.integer({ min: 1, max: 4 }),
            }),
            fc.record({ do: fc.constant('advance' as const), ms: fc.nat(20) }),
          ),
          { maxLength: 60 },
        ),
        async (initial, plan) => {
          const clock = new VirtualClock()
          const semaphore = new Semaphore({ permits: initial, clock })
          const inside: { release(): void }[] = []
          const controllers: AbortController[] = []
          const served: number[] = []
          let settled = 0
          let allowed = initial
          for (const step of plan) {
            if (step.do === 'acquire') {
              const controller = new AbortController()
              const id = controllers.push(controller)
              semaphore.acquire({ timeout: step.timeout, signal: controller.signal }).then(
                permit => {
                  settled++
                  served.push(id)
                  inside.push(permit)
                },
                () => settled++,
              )
            } else if (step.do === 'release') inside.splice(step.which, 1)[0]?.release()
            else if (step.do === 'abort') controllers[step.which]?.abort()
            else if (step.do === 'advance') clock.advance(step.ms)
            else {
              semaphore.setPermits(step.permits)
              allowed = Math.max(step.permits, inside.length)
            }
            await clock.advanceAsync(0)
            expect(inside.length).toBeLessThanOrEqual(allowed)
            expect(semaphore.stats().active).toBe(inside.length)
            allowed = Math.max(semaphore.stats().permits, inside.length)
          }
          while (inside.length > 0) {
            inside.pop()!.release()
            await clock.advanceAsync(0)
          }
          expect(settled).toBe(controllers.length)
          expect(served).toEqual([...served].sort((a, b) => a - b))
          expect(clock.pending).toBe(0)
        },
      ),
      { numRuns: runs(300) },
    ))
})
