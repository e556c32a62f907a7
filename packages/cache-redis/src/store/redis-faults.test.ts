import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '@millrace/cache-core'
import { monotonicClock } from '@millrace/kit'
import { FaultProxy, RedisServer, VirtualClock } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { type Command, Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { CommandMessage } from '../connection/channels.ts'
import { PATIENT } from '../testing/patience.fixture.ts'
import { RedisStore } from './redis-store.ts'

describeRedis('RedisStore on a bad day', redis => {
  let proxy: FaultProxy
  let store: RedisStore<string>
  /** Deadlines and breakers run on it, so that only what a test does makes them due, however slow the machine is. */
  let clock: VirtualClock
  beforeEach(async () => {
    proxy = await FaultProxy.start({ target: redis.server.port })
    clock = new VirtualClock(Date.now())
    store = open()
    await store.set('key', 'value')
  })
  afterEach(async () => {
    await store.close()
    await proxy.stop()
  })

  const timeout = 1_000
  const open = (time: Clock = clock) =>
    new RedisStore<string>({
      connection: { port: proxy.port, retryStrategy: () => 5 },
      timeout,
      clock: time,
    })
  const timedOut = { code: 'ERR_MILLRACE_REDIS_TIMEOUT', timeout }
  const unavailable = { code: 'ERR_MILLRACE_REDIS_UNAVAILABLE' }

  /** Calls until the store serves again; the error of each attempt before that is the expected one. */
  async function recovered(
    attempt = async () => (await store.get('key'))?.value === 'value',
  ): Promise<void> {
    const end = Date.now() + 60_000
    for (let last: unknown; ; ) {
      try {
        if (await attempt()) return
      } catch (error) {
        expect(error).toMatchObject({ name: /^Redis/ })
        last = error
      }
      if (Date.now() > end) throw new Error(`Not recovered in 60 s: ${last}`, { cause: last })
      // The breaker's cooldown, and the end of what hangs; not faster than Redis can answer many repetitions.
      clock.advance(100)
      await sleep(20)
    }
  }

  test.each([
    ['the server is stalled', () => proxy.stall(), () => proxy.heal()],
    ['replies are lost', () => proxy.stall('down'), () => proxy.heal()],
    ['the server vanished without a word', () => proxy.halfOpen(), () => proxy.heal()],
    ['the server process stands still', () => redis.server.pause(), () => redis.server.resume()],
  ])('when %s, every operation ends at its deadline', async (_, break_, mend) => {
    break_()
    const outcomes = [
      store.get('key'),
      store.getMany(['key', 'other']),
      store.set('key', 'new'),
      store.delete('other'),
      store.deleteTag('t'),
      store.clear({ expire: true }),
      store.fence(),
    ]
    try {
      await clock.advanceAsync(timeout - 1)
      expect(store.stats()).toMatchObject({ pending: 7, timeouts: 0 })
      clock.advance(1)
      for (const outcome of outcomes) await expect(outcome).rejects.toMatchObject(timedOut)
      expect(store.stats()).toMatchObject({ pending: 0, timeouts: 7 })
    } finally {
      await mend()
    }
  })

  test('when the connection is cut, what waits fails at once and later calls work', async () => {
    proxy.stall()
    const waiting = store.get('key')
    proxy.refuse()
    proxy.cut()
    // The clock stands still, so neither waits for its deadline.
    await expect(waiting).rejects.toMatchObject(unavailable)
    await expect(store.get('key')).rejects.toMatchObject(unavailable)
    await proxy.heal()
    await recovered()
  })

  test('a reply that is cut in its middle is an error, not half a value', async () => {
    // Calls made while it reconnects may need their deadline.
    await using real = open(monotonicClock)
    await recovered(() => real.set('big', 'x'.repeat(200_000)))
    proxy.cutAfter(1_000)
    await expect(real.get('big')).rejects.toMatchObject({ name: /^Redis/ })
    await proxy.heal()
    await recovered(async () => (await real.get('big'))?.value === 'x'.repeat(200_000))
  })

  test('when Redis is not there from the start, calls fail without waiting for their deadline', async () => {
    proxy.refuse()
    await using late = open()
    const cause = { message: expect.stringMatching(/^connect ECONNREFUSED|^read ECONNRESET/) }
    await expect(late.get('key')).rejects.toMatchObject(unavailable)
    await expect(late.get('key')).rejects.toMatchObject(unavailable)
    await using nowhere = new RedisStore({ url: 'redis://127.0.0.1:1', clock })
    for (let call = 0; call < 3; call++) {
      await expect(nowhere.get('key')).rejects.toMatchObject({ ...unavailable, cause })
    }
  })

  test('a server that was killed and came back empty is used again', async () => {
    await redis.server.kill()
    await expect(store.get('key')).rejects.toMatchObject({ name: /^Redis/ })
    await redis.server.restart()
    await recovered(() => store.set('key', 'value'))
    await recovered()
  })

  test('a primary that became a replica under an open connection is neither written nor read', async () => {
    await using other = await RedisServer.start()
    const client = new Redis(redis.server.port)
    await using kept = new RedisStore<string>({ client, ...PATIENT })
    await kept.set('key', 'value')
    await client.replicaof('127.0.0.1', other.port)
    const refused = { reason: 'reply', cause: { message: expect.stringMatching(/^READONLY/) } }
    await expect(kept.set('key', 'new')).rejects.toMatchObject(refused)
    await expect(kept.get('key')).rejects.toMatchObject(refused)
    await expect(kept.lookup(['key'])).rejects.toMatchObject(refused)
    await client.replicaof('NO', 'ONE')
    expect(await kept.set('key', 'value')).toBe(true)
    client.disconnect()
  })

  test('which server it is, is asked from time to time, as connections can lead to another one', async () => {
    await using kept = new RedisStore<string>({ url: redis.server.url, ...PATIENT })
    await kept.set('key', 'value')
    const raw = new Redis(redis.server.port)
    await raw.zadd('millrace:cache:{0}', 12_345, '#node')
    expect((await kept.get('key'))?.value).toBe('value')
    const { now } = monotonicClock
    using _later = vi.spyOn(monotonicClock, 'now').mockImplementation(() => now() + 5_000)
    expect(await kept.get('key')).toBeUndefined()
    raw.disconnect()
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
    const client = new Redis(proxy.port, { retryStrategy: () => 5 })
    await using slow = new RedisStore({ client, timeout: 60_000, clock })
    await slow.get('key')
    expect(clock.pending).toBe(0)
    proxy.stall()
    const waiting = slow.get('key')
    await clock.advanceAsync(59_999)
    expect(slow.stats().pending).toBe(1)
    clock.advance(1)
    await expect(waiting).rejects.toMatchObject({ timeout: 60_000, operation: 'get' })
    client.disconnect()
  })

  test('after five silent calls Redis is left alone, and one call finds out that it is back', async () => {
    proxy.stall()
    const calls = Array.from({ length: 5 }, () => store.get('key'))
    clock.advance(timeout)
    for (const call of calls) await expect(call).rejects.toMatchObject(timedOut)
    const { sendCommand } = store.client
    const sent: unknown[] = []
    store.client.sendCommand = (command: Command, ...rest: unknown[]) => {
      sent.push(command.name)
      return Reflect.apply(sendCommand, store.client, [command, ...rest])
    }
    for (let call = 0; call < 10; call++) {
      await expect(store.get('key')).rejects.toMatchObject({ ...unavailable, reason: 'breaker' })
    }
    expect(sent).toEqual([])
    expect(store.stats()).toMatchObject({ timeouts: 5, breakerOpened: 1, breakerOpen: 1 })
    await proxy.heal()
    await recovered()
    expect(store.stats().breakerOpen).toBe(0)
  })

  test('no more calls wait than maxPending', async () => {
    await using narrow = new RedisStore({
      connection: { port: proxy.port },
      timeout: 60,
      maxPending: 3,
      clock,
    })
    proxy.stall()
    const calls = Array.from({ length: 5 }, () => narrow.get('key'))
    clock.advance(60)
    const results = await Promise.allSettled(calls)
    expect(results.map(result => (result as PromiseRejectedResult).reason.reason)).toEqual([
      undefined,
      undefined,
      undefined,
      'overloaded',
      'overloaded',
    ])
  })

  test('a call that concerns more keys than calls may wait is one call', async () => {
    const { url } = redis.server
    await using narrow = new RedisStore<number>({ url, maxPending: 2, ...PATIENT })
    const keys = Array.from({ length: 1_000 }, (_, i) => `many ${i}`)
    const set = narrow.setMany(keys.map((key, value) => ({ key, value })))
    expect(narrow.stats().pending).toBe(1)
    const other = narrow.fence()
    await expect(narrow.get('third')).rejects.toMatchObject({ reason: 'overloaded' })
    expect(new Set(await set)).toEqual(new Set([true]))
    await other
    expect((await narrow.getMany(keys)).map(entry => entry?.value)).toEqual([...keys.keys()])
    expect(await narrow.expireMany(keys)).toBe(1_000)
    expect(await narrow.deleteMany(keys)).toBe(1_000)
    expect(narrow.stats()).toMatchObject({ pending: 0, writes: 1_000, deletes: 2_000, failures: 1 })
  })

  test('what a call of very many keys has not sent, as it failed before, is repeated as well', async () => {
    const keys = Array.from({ length: 5_000 }, (_, i) => `very many ${i}`)
    const items = keys.map(key => ({ key, value: 'v' }))
    expect(new Set(await store.setMany(items))).toEqual(new Set([true]))
    proxy.stall()
    const { trips } = store.stats()
    const ended = Promise.allSettled([store.deleteMany(keys), store.setMany(items)])
    await clock.advanceAsync(2 * timeout)
    for (const outcome of await ended) {
      expect(outcome).toMatchObject({ reason: { code: timedOut.code } })
    }
    // Of either call the first two thousand or so.
    expect(store.stats().trips - trips).toBeLessThanOrEqual(17)
    expect(store.stats().recovering).toBe(5_000)
    await proxy.heal()
    await recovered(async () => store.stats().recovering === 0)
    expect(new Set(await store.getMany(keys))).toEqual(new Set([undefined]))
  })

  test('operations are published with their outcome', async () => {
    const messages: [string, CommandMessage][] = []
    const note = (message: unknown, name: string | symbol) =>
      messages.push([String(name).split(':').at(-1)!, { ...(message as CommandMessage) }])
    const channels = ['millrace:redis:command:start', 'millrace:redis:command:end']
    for (const name of channels) subscribe(name, note)
    await store.getMany(['key', 'other'])
    proxy.stall()
    const late = store.delete('key')
    clock.advance(timeout)
    await expect(late).rejects.toMatchObject(timedOut)
    for (const name of channels) unsubscribe(name, note)
    expect(messages).toEqual([
      ['start', { operation: 'getMany', keys: 2 }],
      ['end', { operation: 'getMany', keys: 2 }],
      ['start', { operation: 'delete', keys: 1 }],
      ['end', { operation: 'delete', keys: 1, error: expect.objectContaining(timedOut) }],
    ])
  })
})
