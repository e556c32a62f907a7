import { AsyncLocalStorage } from 'node:async_hooks'
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel'
import { VirtualClock } from '@millrace/testkit'
import { afterEach, describe, expect, test } from 'vitest'
import { TokenBucket } from '../bucket/token-bucket.ts'
import { Semaphore } from '../semaphore/semaphore.ts'
import type { LimitMessage } from '../wait/channels.ts'

const undo: (() => void)[] = []
afterEach(() => {
  for (const step of undo.splice(0)) step()
})

function record(...names: string[]) {
  const log: [string, LimitMessage][] = []
  for (const name of names) {
    const listener = (message: unknown) => log.push([name.slice(15), message as LimitMessage])
    subscribe(name, listener)
    undo.push(() => unsubscribe(name, listener))
  }
  return log
}

describe('diagnostics channels', () => {
  test('a wait publishes one object at its start and its end', async () => {
    const log = record('millrace:limit:wait:start', 'millrace:limit:wait:end')
    const clock = new VirtualClock()
    const bucket = new TokenBucket({ rate: 10, burst: 1, clock, name: 'api' })
    await bucket.acquire()
    const waiting = bucket.acquire(1, { priority: 2 })
    await clock.advanceAsync(100)
    await waiting
    expect(log.map(([name]) => name)).toEqual(['wait:start', 'wait:end'])
    expect(log[1]![1]).toBe(log[0]![1])
    expect(log[1]![1]).toEqual({ limiter: 'api', cost: 1, priority: 2, waited: 100 })
  })

  test('a wait that fails tells why', async () => {
    const log = record('millrace:limit:wait:end')
    const semaphore = new Semaphore({ permits: 1 })
    await semaphore.acquire()
    const controller = new AbortController()
    const waiting = semaphore.acquire({ signal: controller.signal })
    controller.abort('enough')
    await expect(waiting).rejects.toBe('enough')
    expect(log).toMatchObject([['wait:end', { limiter: 'semaphore', error: 'enough' }]])
  })

  test('refusals are published with the time to come again', async () => {
    const log = record('millrace:limit:refuse:start', 'millrace:limit:refuse:end')
    const clock = new VirtualClock()
    const bucket = new TokenBucket({ rate: 10, burst: 1, clock })
    bucket.tryAcquire()
    bucket.tryAcquire()
    await expect(bucket.acquire({ timeout: 10 })).rejects.toThrow('retry after 100 ms')
    expect(log.map(([name]) => name)).toEqual([
      'refuse:start',
      'refuse:end',
      'refuse:start',
      'refuse:end',
    ])
    expect(log[0]![1]).toEqual({ limiter: 'token-bucket', cost: 1, retryAfter: 100 })
    expect(log[3]![1].error).toMatchObject({ code: 'ERR_MILLRACE_RATE_LIMITED' })
  })

  test('a store bound to the start is current while the wait begins', async () => {
    const span = new AsyncLocalStorage<LimitMessage>()
    const start = channel('millrace:limit:wait:start')
    start.bindStore(span, message => message as LimitMessage)
    undo.push(() => start.unbindStore(span))
    const clock = new VirtualClock()
    const bucket = new TokenBucket({ rate: 10, burst: 1, clock })
    bucket.tryAcquire()
    let seen: LimitMessage | undefined
    const watched = new TokenBucket({
      rate: 10,
      burst: 1,
      clock: {
        now: () => clock.now(),
        setTimer: (callback, delay) => {
          seen = span.getStore()
          return clock.setTimer(callback, delay)
        },
      },
    })
    watched.tryAcquire()
    void watched.acquire()
    expect(seen).toMatchObject({ limiter: 'token-bucket' })
    expect(span.getStore()).toBeUndefined()
  })
})
