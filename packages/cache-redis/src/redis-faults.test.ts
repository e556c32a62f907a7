import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { FaultProxy, VirtualClock } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { CommandMessage } from './channels.ts'
import { RedisStore } from './redis-store.ts'

describeRedis('RedisStore on a bad day', redis => {
  let proxy: FaultProxy
  let store: RedisStore<string>
  beforeEach(async () => {
    proxy = await FaultProxy.start({ target: redis.server.port })
    store = open()
    await store.set('key', 'value')
  })
  afterEach(async () => {
    await store.close()
    await proxy.stop()
  })

  // Long enough for a first connection on a busy machine, as a healthy call must not meet it.
  const deadline = 250
  const open = () =>
    new RedisStore<string>({
      connection: { port: proxy.port, retryStrategy: () => 5 },
      deadline,
    })
  const timeout = { code: 'ERR_MILLRACE_REDIS_TIMEOUT', deadline }
  const unavailable = { code: 'ERR_MILLRACE_REDIS_UNAVAILABLE' }

  /** The store serves again; each attempt fails fast until then. */
  async function recovered(): Promise<void> {
    const end = Date.now() + 5_000
    for (;;) {
      const value = await store.get('key').catch(() => undefined)
      if (value?.value === 'value') return
      if (Date.now() > end) throw new Error('Not recovered in 5 s')
      await new Promise(setImmediate)
    }
  }

  test.each([
    ['the server is stalled', () => proxy.stall(), () => proxy.heal()],
    ['replies are lost', () => proxy.stall('down'), () => proxy.heal()],
    ['the server vanished without a word', () => proxy.halfOpen(), () => proxy.heal()],
    ['the server process stands still', () => redis.server.pause(), () => redis.server.resume()],
  ])('when %s, every operation ends at its deadline', async (_, break_, mend) => {
    break_()
    const start = performance.now()
    const results = await Promise.allSettled([
      store.get('key'),
      store.getMany(['key', 'other']),
      store.set('key', 'new'),
      store.delete('other'),
      store.deleteTag('t'),
      store.clear({ expire: true }),
      store.fence(),
    ])
    for (const result of results) expect(result).toMatchObject({ reason: timeout })
    expect(performance.now() - start).toBeLessThan(6 * deadline)
    expect(store.stats()).toMatchObject({ pending: 0, timeouts: 7 })
    await mend()
  })

  test('when the connection is cut, what waits fails at once and later calls work', async () => {
    proxy.stall()
    const waiting = store.get('key')
    proxy.refuse()
    proxy.cut()
    await expect(waiting).rejects.toMatchObject(unavailable)
    const start = performance.now()
    await expect(store.get('key')).rejects.toMatchObject({ name: /Redis/ })
    expect(performance.now() - start).toBeLessThan(55)
    await proxy.heal()
    await recovered()
  })

  test('a reply that is cut in its middle is an error, not half a value', async () => {
    await store.set('big', 'x'.repeat(200_000))
    proxy.cutAfter(1_000)
    await expect(store.get('big')).rejects.toMatchObject({ name: /^Redis/ })
    await proxy.heal()
    await recovered()
    expect((await store.get('big'))?.value).toBe('x'.repeat(200_000))
  })

  test('when Redis is not there from the start, calls fail in time', async () => {
    proxy.refuse()
    await using late = open()
    const start = performance.now()
    await expect(late.get('key')).rejects.toMatchObject({ name: /^Redis/ })
    await expect(late.get('key')).rejects.toMatchObject({ name: /^Redis/ })
    expect(performance.now() - start).toBeLessThan(400)
  })

  test('a server that was killed and came back empty is used again', async () => {
    await redis.server.kill()
    await expect(store.get('key')).rejects.toMatchObject({ name: /^Redis/ })
    await redis.server.restart()
    const end = Date.now() + 5_000
    while (!(await store.set('key', 'value').catch(() => false))) {
      if (Date.now() > end) throw new Error('Not recovered in 5 s')
      await new Promise(setImmediate)
    }
    await recovered()
  })

  test('a caller’s signal ends its own wait only', async () => {
    proxy.stall('down')
    const controller = new AbortController()
    const impatient = store.get('key', { signal: controller.signal })
    const patient = store.get('key')
    controller.abort(new Error('enough'))
    await expect(impatient).rejects.toThrow('enough')
    const healed = proxy.heal()
    expect((await patient)?.value).toBe('value')
    await healed
    expect(store.stats()).toMatchObject({ pending: 0, timeouts: 0, failures: 0 })
  })

  test('the deadline runs on the clock that was handed in, and leaves no timer behind', async () => {
    const clock = new VirtualClock(Date.now())
    const client = new Redis(proxy.port, { retryStrategy: () => 5 })
    await using slow = new RedisStore({ client, deadline: 60_000, clock })
    await slow.get('key')
    expect(clock.pending).toBe(0)
    proxy.stall()
    const waiting = slow.get('key')
    await clock.advanceAsync(59_999)
    expect(slow.stats().pending).toBe(1)
    clock.advance(1)
    await expect(waiting).rejects.toMatchObject({ deadline: 60_000, operation: 'get' })
    client.disconnect()
  })

  test('after five silent calls Redis is left alone, and one call finds out that it is back', async () => {
    proxy.stall()
    const calls = Array.from({ length: 5 }, () => store.get('key'))
    await Promise.allSettled(calls)
    const begun = performance.now()
    await expect(store.get('key')).rejects.toMatchObject({ ...unavailable, reason: 'breaker' })
    expect(performance.now() - begun).toBeLessThan(deadline)
    expect(store.stats()).toMatchObject({ timeouts: 5, breakerOpened: 1, breakerOpen: 1 })
    await proxy.heal()
    await recovered()
    expect(store.stats().breakerOpen).toBe(0)
  })

  test('no more calls wait than maxPending', async () => {
    await using narrow = new RedisStore({
      connection: { port: proxy.port },
      deadline: 60,
      maxPending: 3,
    })
    proxy.stall()
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => narrow.get('key')))
    expect(results.map(result => (result as PromiseRejectedResult).reason.reason)).toEqual([
      undefined,
      undefined,
      undefined,
      'overloaded',
      'overloaded',
    ])
  })

  test('operations are published with their outcome', async () => {
    const messages: [string, CommandMessage][] = []
    const note = (message: unknown, name: string | symbol) =>
      messages.push([String(name).split(':').at(-1)!, { ...(message as CommandMessage) }])
    const channels = ['millrace:redis:command:start', 'millrace:redis:command:end']
    for (const name of channels) subscribe(name, note)
    await store.getMany(['key', 'other'])
    proxy.stall()
    await store.delete('key').catch(() => undefined)
    for (const name of channels) unsubscribe(name, note)
    expect(messages).toEqual([
      ['start', { operation: 'getMany', keys: 2 }],
      ['end', { operation: 'getMany', keys: 2 }],
      ['start', { operation: 'delete', keys: 1 }],
      ['end', { operation: 'delete', keys: 1, error: expect.objectContaining(timeout) }],
    ])
  })
})
