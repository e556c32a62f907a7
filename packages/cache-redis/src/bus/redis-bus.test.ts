import type { ListenerError } from '@millrace/cache-core'
import type { Invalidation } from '@millrace/cache-core/tiered'
import { FaultProxy, nextWarning, VirtualClock } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RedisStore } from '../store/redis-store.ts'
import { PATIENT } from '../testing/patience.fixture.ts'
import { BusLog } from './bus-log.fixture.ts'
import { decodeMessage } from './bus-message.ts'
import { RedisBus, type RedisBusOptions } from './redis-bus.ts'

const key = (name: string): Invalidation => ({ verb: 'delete', target: 'key', name })

describeRedis('RedisBus', redis => {
  let proxy: FaultProxy
  let clock: VirtualClock
  const open: RedisBus[] = []
  beforeEach(async () => {
    proxy = await FaultProxy.start({ target: redis.server.port })
    clock = new VirtualClock(Date.now())
  })
  afterEach(async () => {
    for (const bus of open.splice(0)) await bus.close()
    await proxy.stop()
  })

  async function bus(options: Partial<RedisBusOptions> = {}): Promise<RedisBus> {
    const made = new RedisBus({ url: redis.server.url, clock, ...options } as RedisBusOptions)
    open.push(made)
    await made.ready()
    return made
  }
  const viaProxy = () =>
    bus({ connection: { port: proxy.port, retryStrategy: () => 5 }, url: undefined })

  test('others on the channel hear invalidations in order; the sender and other channels do not', async () => {
    const [a, b, other] = [await bus(), await bus(), await bus({ prefix: 'other' })]
    const [logA, logB, logOther] = [new BusLog(a), new BusLog(b), new BusLog(other)]
    await a.publish([key('1'), { verb: 'expire', target: 'tag', name: 't' }])
    await a.publish([{ verb: 'delete', target: 'pattern', name: 'u:*' }, key('\ud800')])
    await b.publish([{ verb: 'expire', target: 'all', name: '' }])
    await logB.has('delete key \ud800')
    await logA.has('expire all ')
    expect(logB.events).toEqual([
      'delete key 1',
      'expire tag t',
      'delete pattern u:*',
      'delete key \ud800',
    ])
    expect(logA.events).toEqual(['expire all '])
    expect(logOther.events).toEqual([])
    expect(a.stats()).toMatchObject({ sent: 2, received: 1, subscribed: 1 })
  })

  test('a listener that throws keeps nothing from the others, and ends no bus', async () => {
    const [a, b] = [await bus(), await bus()]
    b.subscribe({
      onInvalidations() {
        throw new Error('no')
      },
      onGap() {},
    })
    const log = new BusLog(b)
    const warned = nextWarning<ListenerError>(({ cause }) => (cause as Error)?.message === 'no')
    await a.publish([key('1')])
    await log.has('delete key 1')
    expect(await warned).toMatchObject({ listener: 'onInvalidations' })
    await a.publish([key('2')])
    await log.has('delete key 2')
  })

  test('a subscriber whose connection is cut hears afterwards of what it missed, and of no gap', async () => {
    const [a, b] = [await bus(), await viaProxy()]
    await using store = new RedisStore<string>({ ...PATIENT, url: redis.server.url })
    const log = new BusLog(b)
    await store.delete('known')
    await log.has('delete key known')
    proxy.refuse()
    proxy.cut()
    await expect.poll(() => b.stats().subscribed).toBe(0)
    await store.delete('lost')
    await store.expireTag('\ud800')
    await store.set('written', 'v')
    await proxy.heal()
    await log.has('expire tag \ud800')
    await log.has('delete key written')
    expect([...log.events].sort()).toEqual([
      'delete key known',
      'delete key lost',
      'delete key written',
      'expire tag \ud800',
    ])
    await a.publish([key('heard')])
    await log.has('delete key heard')
    expect(b.stats().gaps).toBe(1)
  })

  const unknown: Record<string, (store: RedisStore<string>, raw: Redis) => Promise<unknown>> = {
    'as a pattern is noted nowhere': store =>
      store.publish([{ verb: 'delete', target: 'pattern', name: 'u:*' }]),
    'as the notes were evicted': async (store, raw) => {
      await raw.unlink('millrace:cache:{0}!')
      await store.delete('k')
    },
    'as everything was flushed': (_, raw) => raw.flushall(),
    'as it is too much': store => store.deleteMany(Array.from({ length: 1_100 }, (_, i) => `${i}`)),
  }
  test.each(Object.entries(unknown))(
    'what it missed is a gap where Redis does not know it, %s',
    async (_, happen) => {
      const b = await viaProxy()
      await using store = new RedisStore<string>({ ...PATIENT, url: redis.server.url })
      const raw = new Redis(redis.server.port)
      await store.ready()
      const log = new BusLog(b)
      proxy.refuse()
      proxy.cut()
      await expect.poll(() => b.stats().subscribed).toBe(0)
      await happen(store, raw)
      await proxy.heal()
      await log.has('gap')
      expect(log.events).toEqual(['gap'])
      raw.disconnect()
    },
  )

  test('a connection that only looks alive is found by the heartbeat', async () => {
    const [a, b] = [await bus(), await viaProxy()]
    const log = new BusLog(b)
    await clock.advanceAsync(5_000)
    proxy.halfOpen()
    await a.publish([key('lost')])
    // One beat goes unanswered, the next one notices.
    await clock.advanceAsync(5_000)
    await clock.advanceAsync(5_000)
    await log.has('gap')
    await proxy.heal()
    await log.until(() => b.stats().subscribed === 1)
    await a.publish([key('heard')])
    await log.has('delete key heard')
  })

  test('while there is no connection, every heartbeat is a gap', async () => {
    const b = await viaProxy()
    const log = new BusLog(b)
    proxy.refuse()
    proxy.cut()
    await expect.poll(() => b.stats().subscribed).toBe(0)
    for (let beat = 1; beat <= 3; beat++) {
      await clock.advanceAsync(5_000)
      await log.until(({ length }) => length === beat)
    }
    expect(log.events).toEqual(['gap', 'gap', 'gap'])
  })

  test('what could not be sent is sent when Redis is back, once each, the stronger verb', async () => {
    const [a, b] = [await viaProxy(), await bus()]
    const log = new BusLog(b)
    proxy.refuse()
    proxy.cut()
    const failed = await Promise.allSettled([
      a.publish([key('k'), { verb: 'expire', target: 'tag', name: 't' }]),
      a.publish([{ verb: 'expire', target: 'key', name: 'k' }]),
    ])
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(a.stats().recovering).toBe(2)
    await proxy.heal()
    await log.has('expire tag t')
    await log.has('delete key k')
    expect(log.events.filter(event => event !== 'gap').sort()).toEqual([
      'delete key k',
      'expire tag t',
    ])
    await expect.poll(() => a.stats().recovering).toBe(0)
  })

  test('a message that went missing is noticed by the epoch that the next one follows, and asked for', async () => {
    const b = await bus()
    const log = new BusLog(b)
    const raw = new Redis(redis.server.port)
    const channel = 'millrace:cache:{0}'
    const [id, epoch] = (await raw.zmscore(channel, '#id', '#epoch')).map(Number) as [
      number,
      number,
    ]
    const send = (step: number) => {
      const [before, after] = [epoch + step - 1, epoch + step]
      return raw.publish(channel, JSON.stringify([2, id, before, after, 'x', 0, 0, `${step}`]))
    }
    for (const step of [1, 2, 3, 4]) {
      await raw.zadd(`${channel}!`, epoch + step, `v${epoch + step}`)
    }
    // The third is noted, but its message does not arrive in time.
    await raw.zadd(`${channel}!`, epoch + 3, 'k3')
    await raw.zadd(channel, epoch + 4, '#epoch')
    for (const step of [1, 2, 4, 3]) await send(step)
    await log.until(({ length }) => length === 5)
    expect(log.events.filter(event => event === 'delete key 3')).toHaveLength(2)
    expect(log.events).not.toContain('gap')
    await raw.publish(channel, 'nonsense')
    await log.has('gap')
    expect(b.stats()).toMatchObject({ undecodable: 1, received: 5 })
    raw.disconnect()
  })

  test('a server that was killed and restarted is subscribed to again', async () => {
    const [a, b] = [await bus(), await bus()]
    const log = new BusLog(b)
    await redis.server.kill()
    await redis.server.restart()
    await log.until(events => events.includes('gap') && b.stats().subscribed === 1)
    // Refused until the sender's own connection is back.
    const heard = async () => {
      await Promise.allSettled([a.publish([key('heard')])])
      return log.events
    }
    await expect.poll(heard).toContain('delete key heard')
  })

  test('bad options are named', () => {
    const { url } = redis.server
    expect(() => new RedisBus({ url, prefix: '{x}' })).toThrow('Expected `prefix` to be a string')
    expect(() => new RedisBus({ url, heartbeat: 0 })).toThrow('Expected `heartbeat`')
    expect(() => new RedisBus({ url, maxRecovery: 0.5 })).toThrow('Expected `maxRecovery`')
  })
})

describe('bus messages', () => {
  test('survive the way, and nothing else is taken for one', () => {
    expect(decodeMessage('[2,"7","3","5","s",0,0,"a:\\"b\\"",1,1,""]')).toEqual({
      incarnation: 7,
      before: 3,
      epoch: 5,
      sender: 's',
      invalidations: [key('a:"b"'), { verb: 'expire', target: 'tag', name: '' }],
    })
    for (const text of [
      '',
      '{}',
      '[1,"7","3","5","s"]',
      '[2,"7","3","s"]',
      '[2,"7","3","1.5","s"]',
      '[2,"7","3","5","s",9,0,"x"]',
      '[2,"7","3","5","s",0,0,5]',
      '[2,"7","3","5","s",0,0,"\\u0001{"]',
    ]) {
      expect(decodeMessage(text)).toBeUndefined()
    }
  })
})
