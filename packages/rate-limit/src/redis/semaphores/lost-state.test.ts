import { randomUUID } from 'node:crypto'
import { runs, seededRandom, VirtualClock } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import type { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LeaseLostError } from '../../errors.ts'
import { connections } from '../testing/connections.fixture.ts'
import { RedisKeyedSemaphore, RedisSemaphore } from '../testing/tracked.fixture.ts'
import type { RedisPermit } from './redis-permit.ts'
import type { RedisSemaphoreOptions } from './semaphore-options.ts'

/** Nothing is renewed, and no pause ends, but where a test says so. */
const TTL = 3_600_000

interface Member {
  readonly semaphore: RedisSemaphore
  readonly clock: VirtualClock
}

describeRedis('a semaphore whose state is lost', redis => {
  const connect = connections()
  const open: AsyncDisposable[] = []
  let client: Redis
  beforeEach(async () => {
    client = await connect(redis.server.port)
    await client.flushall()
  })
  afterEach(async () => {
    for (const one of open.splice(0)) await one[Symbol.asyncDispose]()
    const keys = await client.keys('*')
    const lives = await Promise.all(keys.map(key => client.pttl(key)))
    expect(lives.filter(life => life === -1)).toEqual([])
  })

  function join(id: string, options: Partial<RedisSemaphoreOptions> = {}): Member {
    const clock = new VirtualClock()
    const limits = { client, id, permits: 3, ttl: TTL, timeout: 30_000, clock }
    const semaphore = new RedisSemaphore({ ...limits, ...options })
    open.push(semaphore)
    return { semaphore, clock }
  }

  /** Has a process renew what it holds, as it does every third of a ttl. */
  async function renew({ semaphore, clock }: Member, ttl = TTL): Promise<void> {
    if (semaphore.stats().active === 0) return
    const { trips } = semaphore.stats()
    clock.advance(ttl / 3)
    while (semaphore.stats().trips === trips) await client.ping()
    await client.ping()
    await new Promise(resolve => setImmediate(resolve))
  }

  /** For how long nothing enters, in ms; 0 once that is over. */
  async function pause(id: string): Promise<number> {
    const state = (await client.getBuffer(`millrace:limit:{${id}}:state`))!
    const [seconds, us] = await client.time()
    const now = (Number(seconds) - 1_700_000_000) * 1e6 + Number(us)
    return Math.max(0, (state.readDoubleBE(48) - now) / 1_000)
  }

  async function endPause(id: string): Promise<void> {
    const key = `millrace:limit:{${id}}:state`
    const state = (await client.getBuffer(key))!
    if (state.readDoubleBE(48) > 0) state.writeDoubleBE(1, 48)
    await client.set(key, state, 'PX', 10 * TTL)
  }

  const losses: Readonly<Record<string, (id: string) => Promise<unknown>>> = {
    'with all others': () => client.flushall(),
    'alone, without its holders': id => client.del(`millrace:limit:{${id}}:state`),
    'as far as its holders': id => client.del(`millrace:limit:{${id}}:holders`),
    'with the server': () => redis.server.restart(),
  }

  test.each(Object.keys(losses))(
    '%s: nothing enters until those inside had the time to enter again, and they stay',
    async how => {
      const id = randomUUID()
      const members = [join(id), join(id), join(id)]
      const [a, b, c] = members as [Member, Member, Member]
      const held = [(await a.semaphore.tryAcquire())!, (await b.semaphore.tryAcquire())!]
      await (await c.semaphore.tryAcquire())!.release()

      await losses[how]!(id)
      while ((await client.ping().catch(() => '')) !== 'PONG') await new Promise(setImmediate)
      expect(await c.semaphore.tryAcquire()).toBeUndefined()
      expect(await b.semaphore.tryAcquire()).toBeUndefined()
      const left = await pause(id)
      expect(left).toBeGreaterThan(TTL / 2 - 60_000)
      expect(left).toBeLessThanOrEqual(TTL / 2)
      // Whoever finds it later does not put it off.
      await renew(a)
      await renew(b)
      expect(await pause(id)).toBeLessThan(left)
      expect(await c.semaphore.tryAcquire()).toBeUndefined()

      await endPause(id)
      const next = (await c.semaphore.tryAcquire())!
      expect(await c.semaphore.tryAcquire()).toBeUndefined()
      expect(next.fence).toBeGreaterThan(held[1]!.fence)
      expect(held.map(({ signal }) => signal.aborted)).toEqual([false, false])
      expect(members.map(({ semaphore }) => semaphore.stats().lost)).toEqual([0, 0, 0])
    },
  )

  test('rolled back by a fail-over to a replica that lagged: the same', async () => {
    const id = randomUUID()
    const [a, b] = [join(id), join(id)]
    const keys = [`millrace:limit:{${id}}:holders`, `millrace:limit:{${id}}:state`]
    await a.semaphore.tryAcquire()
    const before = await Promise.all(keys.map(key => client.dumpBuffer(key)))
    const held = [(await b.semaphore.tryAcquire())!, (await b.semaphore.tryAcquire())!]
    for (const [index, key] of keys.entries()) {
      await client.restore(key, TTL, before[index]!, 'REPLACE')
    }
    // It has seen what the state does not know of.
    expect(await b.semaphore.tryAcquire()).toBeUndefined()
    expect(await pause(id)).toBeGreaterThan(0)
    await renew(a)
    await renew(b)
    await endPause(id)
    expect(await a.semaphore.tryAcquire()).toBeUndefined()
    expect(held.map(({ signal }) => signal.aborted)).toEqual([false, false])
  })

  test('who asks for the first time finds nothing and enters; a holder whose place it takes is told', async () => {
    const id = randomUUID()
    const [a, b] = [join(id), join(id)]
    const held = [(await a.semaphore.tryAcquire(2))!, (await b.semaphore.tryAcquire())!]
    await client.flushall()
    const newcomer = join(id)
    expect(await newcomer.semaphore.tryAcquire()).toBeDefined()
    // The first of those who know ends that.
    await renew(b)
    expect(await newcomer.semaphore.tryAcquire()).toBeUndefined()
    expect(await join(id).semaphore.tryAcquire()).toBeUndefined()
    await renew(a)
    expect(held[0]!.signal.reason).toBeInstanceOf(LeaseLostError)
    expect(held[1]!.signal.aborted).toBe(false)
    await endPause(id)
    expect(await newcomer.semaphore.tryAcquire()).toBeDefined()
    expect(await a.semaphore.tryAcquire()).toBeUndefined()
  })

  test('the longest ttl of all decides for how long, whoever finds the loss', async () => {
    const id = randomUUID()
    const [long, short] = [join(id), join(id, { ttl: 30_000 })]
    const held = (await long.semaphore.tryAcquire())!
    await (await short.semaphore.tryAcquire())!.release()
    await client.flushall()
    expect(await short.semaphore.tryAcquire()).toBeUndefined()
    expect(await pause(id)).toBeGreaterThan(TTL / 2 - 60_000)
    await renew(long)
    expect(held.signal.aborted).toBe(false)
  })

  test('a state that has expired for want of use is none that was lost', async () => {
    const id = randomUUID()
    const { semaphore, clock } = join(id)
    await (await semaphore.tryAcquire())!.release()
    clock.advance(10 * TTL)
    await client.flushall()
    await (await semaphore.tryAcquire())!.release()
  })

  test('who waits enters as soon as that is over, without asking meanwhile', async () => {
    const id = randomUUID()
    // A state is kept for ten times that, should nobody ask.
    const { semaphore } = join(id, { ttl: 2_000, poll: 1, clock: undefined })
    await (await semaphore.tryAcquire())!.release()
    await client.flushall()
    const { trips } = semaphore.stats()
    const permit = await semaphore.acquire()
    expect(permit.waited).toBeGreaterThan(750)
    expect(semaphore.stats().trips - trips).toBeLessThanOrEqual(4)
    await permit.release()
  })

  test('keys: what is asked for the first time after a loss may have been lost as well', async () => {
    const clock = new VirtualClock()
    const options = { client, id: randomUUID(), permits: 1, ttl: TTL, timeout: 30_000 }
    const holder = new RedisKeyedSemaphore({ ...options, clock })
    const other = new RedisKeyedSemaphore({ ...options, clock })
    open.push(holder, other)
    expect(await holder.tryAcquire('held')).toBeDefined()
    await (await other.tryAcquire('known'))!.release()
    await client.flushall()
    expect(await other.tryAcquire('known')).toBeUndefined()
    expect(await other.tryAcquire('held')).toBeUndefined()
    clock.advance(TTL / 2)
    // By now all that is held has been renewed.
    expect(await other.tryAcquire('new')).toBeDefined()
  })

  test('whatever is lost whenever, never more than the permits are inside', async () => {
    let entered = 0
    for (let run = 0; run < runs(6); run++) {
      const seed = Math.floor(Math.random() * 2 ** 31)
      const random = seededRandom(seed)
      const pick = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)]!
      const id = randomUUID()
      const members = [join(id), join(id), join(id)]
      // All have asked once, so that none is new.
      for (const { semaphore } of members) await (await semaphore.tryAcquire())!.release()
      const inside = new Map<RedisPermit, number>()
      const keys = ['holders', 'state'].map(name => `millrace:limit:{${id}}:${name}`)
      let saved: (Buffer | null)[] = []
      let since = new Set<RedisPermit>()
      /** What entered after the state to which it was rolled back, of which those who know less do not hear until it is renewed. */
      let unknown = 0
      const steps: (() => Promise<unknown>)[] = [
        async () => {
          const weight = pick([1, 1, 2])
          const permit = await pick(members).semaphore.tryAcquire(weight)
          if (permit === undefined) return
          inside.set(permit, weight)
          since.add(permit)
        },
        async () => {
          const [permit] = inside.keys()
          if (permit === undefined) return
          inside.delete(permit)
          await permit.release()
        },
        async () => renew(pick(members)),
        // Every process renews before a pause is over.
        async () => {
          for (const member of members) await renew(member)
          if ((await client.exists(keys[1]!)) === 1) await endPause(id)
          unknown = 0
        },
        async () => pick([...Object.values(losses).slice(0, 3)])(id),
        async () => {
          saved = await Promise.all(keys.map(key => client.dumpBuffer(key)))
          since = new Set()
        },
        async () => {
          for (const [index, key] of keys.entries()) {
            const dump = saved[index]
            if (dump) await client.restore(key, TTL, dump, 'REPLACE')
            else await client.del(key)
          }
          for (const permit of since) unknown += inside.get(permit) ?? 0
        },
      ]
      const often = [0, 0, 0, 0, 1, 1, 2, 3, 3, 4, 5, 6]
      for (let step = 0; step < 120; step++) {
        const before = inside.size
        await steps[pick(often)]!()
        if (inside.size > before) entered++
        for (const permit of inside.keys()) if (permit.signal.aborted) inside.delete(permit)
        const sum = [...inside.values()].reduce((all, weight) => all + weight, 0)
        expect(sum, `seed ${seed}, step ${step}`).toBeLessThanOrEqual(3 + unknown)
      }
    }
    expect(entered).toBeGreaterThan(runs(6))
  })
})
