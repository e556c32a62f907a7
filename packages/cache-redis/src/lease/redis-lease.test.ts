import { once } from 'node:events'
import { LoadTimeoutError } from '@millrace/cache-core'
import { TieredCache } from '@millrace/cache-core/tiered'
import { VirtualClock } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RedisStore } from '../store/redis-store.ts'
import { PATIENT, PATIENT_TIERS } from '../testing/patience.fixture.ts'
import { RedisLease, type RedisLeaseSettings } from './redis-lease.ts'

/** One process of several. */
interface Process {
  readonly cache: TieredCache<string>
  readonly store: RedisStore<string>
  readonly lease: RedisLease
}

describeRedis('RedisLease', redis => {
  const processes: Process[] = []
  let raw: Redis
  beforeEach(async () => {
    raw = new Redis(redis.server.port)
    await raw.flushall()
  })
  afterEach(async () => {
    for (const { lease, store } of processes.splice(0)) {
      await lease.close()
      await store.close()
    }
    raw.disconnect()
  })

  function start(settings: RedisLeaseSettings = {}): Process {
    const { url } = redis.server
    const store = new RedisStore<string>({ ...PATIENT, url })
    const lease = new RedisLease({ ...PATIENT, url, ...settings })
    const started = {
      cache: new TieredCache<string>({ ...PATIENT_TIERS, store, lease, ttl: 60_000 }),
      store,
      lease,
    }
    processes.push(started)
    return started
  }
  const total = (counter: (stats: ReturnType<RedisLease['stats']>) => number) =>
    processes.reduce((sum, { lease }) => sum + counter(lease.stats()), 0)

  test('one of ten processes loads, the others take its value', async () => {
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>()
    let loads = 0
    const answers = Array.from({ length: 10 }, () =>
      start().cache.getOrLoad('key', async () => {
        loads++
        await mayEnd
        return 'value'
      }),
    )
    await expect.poll(() => total(({ waited }) => waited)).toBe(9)
    end()
    expect(await Promise.all(answers)).toEqual(Array(10).fill('value'))
    expect([loads, total(({ acquired }) => acquired)]).toEqual([1, 1])
    expect(processes.map(({ cache }) => cache.stats().leased).sort()).toEqual([
      0,
      ...Array(9).fill(1),
    ])
    expect(await raw.keys('*lease*')).toEqual(['millrace:cache:lease:{0}'])
  })

  test('when the one that loads fails, the others load too, at once and not in turn', async () => {
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>()
    const [one, two, three] = [start(), start(), start()]
    const failing = one.cache.getOrLoad('key', async () => {
      await mayEnd
      throw new Error('no')
    })
    await expect.poll(() => one.lease.stats().acquired).toBe(1)
    const both = Promise.withResolvers<void>()
    let loading = 0
    const load = async () => {
      if (++loading === 2) both.resolve()
      await both.promise
      return 'value'
    }
    const answers = [two.cache.getOrLoad('key', load), three.cache.getOrLoad('key', load)]
    await expect.poll(() => two.lease.stats().waited + three.lease.stats().waited).toBe(2)
    end()
    await expect(failing).rejects.toThrow('no')
    expect(await Promise.all(answers)).toEqual(['value', 'value'])
  })

  test('nobody waits longer than the waitTimeout, or than the lease of a process that died', async () => {
    const clock = new VirtualClock(Date.now())
    await raw.set('millrace:cache:lease:{0}:key', 'dead', 'PX', 60_000)
    const { cache, lease } = start({ clock, waitTimeout: 1_000 })
    const answer = cache.getOrLoad('key', () => 'value')
    await expect.poll(() => lease.stats().waited).toBe(1)
    while (clock.pending > 0) {
      await clock.advanceAsync(50)
      await raw.ping()
    }
    expect(await answer).toBe('value')
    expect(lease.stats().acquired).toBe(0)
    expect(await raw.get('millrace:cache:lease:{0}:key')).toBe('dead')
    await start({ ttl: 600_000 }).lease.acquire('other')
    expect(await raw.pttl('millrace:cache:lease:{0}:other')).toBeGreaterThan(300_000)
  })

  test('to let go of a lease that ran out does not take it from the next one', async () => {
    const { lease } = start()
    const hold = (await lease.acquire('key'))!
    await raw.set('millrace:cache:lease:{0}:key', 'another')
    await hold.release()
    expect(await raw.get('millrace:cache:lease:{0}:key')).toBe('another')
  })

  test('without Redis everybody loads, and to let go does not fail', async () => {
    const { cache, lease } = start()
    const hold = (await lease.acquire('other'))!
    await lease.close()
    expect(await cache.getOrLoad('key', () => 'value')).toBe('value')
    await hold.release()
  })

  test('a user who may not do all that the script does takes no lease that nobody holds', async () => {
    await raw.call('ACL', 'SETUSER', 'timeless', 'on', '>secret', '~*', '&*', '+@all', '-time')
    const url = redis.server.url.replace('//', '//timeless:secret@')
    const lease = new RedisLease({ ...PATIENT, url })
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(lease.acquire('key')).rejects.toMatchObject({ reason: 'reply' })
    }
    expect(await raw.keys('*')).toEqual([])
    await lease.close()
    await raw.call('ACL', 'DELUSER', 'timeless')
  })

  test('closed while others wait for it, it leaves no connection behind', async () => {
    for (let moment = 0; moment < 12; moment++) {
      const lease = new RedisLease({ ...PATIENT, url: redis.server.url })
      await raw.set('millrace:cache:lease:{0}:key', 'another')
      const waiting = lease.acquire('key')
      for (let turn = 0; turn < moment; turn++) await new Promise(setImmediate)
      if (moment > 8) await expect.poll(() => lease.stats().waited, { interval: 1 }).toBe(1)
      await lease.close()
      await expect(waiting).rejects.toMatchObject({ code: /STORE_CLOSED|REDIS_UNAVAILABLE/ })
    }
    const clients = async () =>
      String(await raw.client('LIST'))
        .trim()
        .split('\n').length
    await expect.poll(clients).toBe(1)
  })

  test('closed, it ends the waits at once', async () => {
    await raw.set('millrace:cache:lease:{0}:key', 'another', 'PX', 3_600_000)
    // Its clock does not move, so that only what is told to a wait ends it.
    const clock = new VirtualClock()
    const lease = new RedisLease({ ...PATIENT, url: redis.server.url, ttl: 3_600_000, clock })
    const waiting = lease.acquire('key')
    await expect.poll(() => lease.stats().waited).toBe(1)
    await lease.close()
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_MILLRACE_STORE_CLOSED' })
    expect(clock.pending).toBe(0)
  })

  test('the deadline of a load ends the wait for another’s', async () => {
    const { cache, lease } = start()
    await raw.set('millrace:cache:lease:{0}:key', 'slow')
    const answer = cache.getOrLoad('key', () => 'value', { hardTimeout: 30 })
    await expect(answer).rejects.toThrow(LoadTimeoutError)
    await expect.poll(() => lease.stats().pending).toBe(0)
  })

  test('of eight processes with fifty callers each one loads, once, and all others are woken', async () => {
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>()
    let loads = 0
    const callers = Array.from({ length: 8 }, () => start().cache).flatMap(cache =>
      Array.from({ length: 50 }, () =>
        cache.getOrLoad('key', async () => {
          loads++
          await mayEnd
          return 'value'
        }),
      ),
    )
    await expect.poll(() => total(({ waited }) => waited)).toBe(7)
    end()
    expect(new Set(await Promise.all(callers))).toEqual(new Set(['value']))
    expect([loads, total(({ waited }) => waited)]).toEqual([1, 7])
  })

  const forgotten: Record<string, () => Promise<unknown>> = {
    nothing: async () => undefined,
    everything: () => raw.flushall(),
    'all that a restart forgets': async () => {
      await redis.server.kill()
      await redis.server.restart()
    },
  }
  test.each(Object.entries(forgotten))(
    'fencing tokens grow from holder to holder, whoever that is, when Redis has forgotten %s',
    async (_, forget) => {
      const tokens: number[] = []
      const take = async (lease: RedisLease) => {
        for (;;) {
          const hold = await lease.acquire('key').catch(() => undefined)
          if (hold === undefined) {
            await new Promise(setImmediate)
            continue
          }
          tokens.push(hold.token)
          await hold.release()
          return
        }
      }
      const { lease } = start()
      await take(lease)
      await take(start().lease)
      await forget()
      await take(start().lease)
      await take(lease)
      expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b))
    },
  )

  test('fencing tokens grow though the server’s clock was set back', async () => {
    const future = (Date.now() + 3_600_000) * 1_000
    await raw.set('millrace:cache:lease:{0}', future)
    const first = (await start().lease.acquire('key'))!
    expect(first.token).toBe(future + 1)
    await first.release()
    // Even if it forgets that, too, for who has seen it.
    const { lease } = start()
    const second = (await lease.acquire('key'))!
    expect(second.token).toBe(future + 2)
    await second.release()
    await raw.flushall()
    expect((await lease.acquire('key'))!.token).toBe(future + 3)
  })

  test('a lease is renewed as long as it is held, and its holder is told when it was lost', async () => {
    const clock = new VirtualClock(Date.now())
    const { lease } = start({ clock, ttl: 300_000 })
    const hold = (await lease.acquire('key'))!
    const name = 'millrace:cache:lease:{0}:key'
    const beat = async () => {
      const { trips } = lease.stats()
      clock.advance(100_000)
      await expect.poll(() => lease.stats()).toMatchObject({ trips: trips + 1, pending: 0 })
    }
    await raw.pexpire(name, 60_000)
    await beat()
    expect(await raw.pttl(name)).toBeGreaterThan(100_000)
    expect(hold.signal.aborted).toBe(false)
    await raw.set(name, 'another')
    const lost = once(hold.signal, 'abort')
    await beat()
    await lost
    expect(lease.stats()).toMatchObject({ held: 0, lost: 1 })
    await hold.release()
    expect(await raw.get(name)).toBe('another')
  })

  test('a lease that cannot be renewed in time is lost', async () => {
    const clock = new VirtualClock(Date.now())
    const { lease } = start({ clock, ttl: 3_000, timeout: 500 })
    const hold = (await lease.acquire('key'))!
    const lost = once(hold.signal, 'abort')
    redis.server.pause()
    try {
      for (let ms = 0; ms < 6_000; ms += 500) await clock.advanceAsync(500)
      await lost
    } finally {
      redis.server.resume()
    }
    expect(lease.stats().lost).toBe(1)
  })

  test('bad options are named', async () => {
    const { url } = redis.server
    expect(() => new RedisLease({ url, ttl: 0 })).toThrow(
      'Expected `ttl` to be a finite number above 0, got 0',
    )
    expect(() => new RedisLease({ url, waitTimeout: Infinity })).toThrow('Expected `waitTimeout`')
    expect(() => new RedisLease({ url, prefix: '' })).toThrow('Expected `prefix`')
    await expect(start().lease.acquire('k', { signl: 1 } as never)).rejects.toThrow('`signal`?')
  })
})
