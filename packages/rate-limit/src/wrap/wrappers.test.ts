import { VirtualClock } from '@millrace/testkit'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { TokenBucket } from '../bucket/token-bucket.ts'
import { InvalidOptionError, RateLimitedError } from '../errors.ts'
import { KeyedLimiter } from '../keyed/keyed-limiter.ts'
import { KeyedSemaphore } from '../keyed/keyed-semaphore.ts'
import { Semaphore } from '../semaphore/semaphore.ts'
import { concurrent } from './concurrent.ts'
import { limited } from './limited.ts'

function setUp() {
  const clock = new VirtualClock()
  return { clock, bucket: new TokenBucket({ rate: 10, burst: 2, clock }) }
}

describe('limited', () => {
  test('waits for a permit and keeps this, arguments, name, length and types', async () => {
    const { clock, bucket } = setUp()
    function add(this: { base: number }, a: number, b = 2) {
      return this.base + a + b
    }
    const slow = limited(bucket)(add)
    expect([slow.name, slow.length]).toEqual(['add', 1])
    expectTypeOf(slow).toEqualTypeOf<
      (this: { base: number }, a: number, b?: number) => Promise<number>
    >()
    const results = Promise.all([1, 2, 3].map(n => slow.call({ base: 10 }, n)))
    await clock.advanceAsync(100)
    expect(await results).toEqual([13, 14, 15])
  })

  test('a key of the first arguments leaves open what follows them', async () => {
    const { clock } = setUp()
    const limiter = new KeyedLimiter({ rate: 1, burst: 1, clock })
    const rename = limited(limiter, { key: (id: string) => id })(
      async (id: string, name: string, force?: boolean) => `${id} ${name} ${force}`,
    )
    expectTypeOf(rename).toEqualTypeOf<
      (id: string, name: string, force?: boolean) => Promise<string>
    >()
    expect(await rename('1', 'ann')).toBe('1 ann undefined')
    // @ts-expect-error the key wants a string first
    limited(limiter, { key: (id: string) => id })(async (id: number) => id)
  })

  test('leaves the type of an asynchronous function as it is', () => {
    const { bucket } = setUp()
    const fetchUser = async (id: string) => ({ id })
    expectTypeOf(limited(bucket)(fetchUser)).toEqualTypeOf(fetchUser)
  })

  test('cost, timeout and signal come from the call', async () => {
    const { bucket } = setUp()
    let calls = 0
    const wrap = limited<[{ size: number; signal?: AbortSignal }]>(bucket, {
      cost: ({ size }) => size,
      signal: ({ signal }) => signal,
      timeout: 50,
    })
    const send = wrap(async (_: { size: number; signal?: AbortSignal }) => ++calls)
    expect(await send({ size: 2 })).toBe(1)
    await expect(send({ size: 1 })).rejects.toThrow(RateLimitedError)
    await expect(send({ size: 1, signal: AbortSignal.abort('stop') })).rejects.toBe('stop')
    await expect(send({ size: 3 })).rejects.toThrow('Expected `cost` to be a number from 0 to 2')
    expect(calls).toBe(1)
  })

  test('with wait: false a synchronous function stays so, and an asynchronous one rejects', async () => {
    const { bucket } = setUp()
    const now = limited(bucket, { wait: false })((n: number) => n * 2)
    const later = limited(bucket, { wait: false })(async (n: number) => n * 2)
    expect(now(1)).toBe(2)
    expect(await later(1)).toBe(2)
    expect(() => now(1)).toThrow(RateLimitedError)
    await expect(later(1)).rejects.toMatchObject({ retryAfter: 100 })
  })

  test('with wait: false a limiter that has to ask elsewhere is asked first, by key too', async () => {
    const { bucket } = setUp()
    const byKey = new KeyedLimiter({ rate: 1, burst: 1 })
    const asking = { name: 'far', decide: async (cost?: number) => bucket.decide(cost) }
    const keyed = {
      keyed: true as const,
      name: 'far',
      decide: async (key: string, cost?: number) => byKey.decide(key, cost),
    }
    const now = limited(asking, { wait: false })((n: number) => n * 2)
    const later = limited(asking, { wait: false })(async (n: number) => n * 2)
    const one = limited(keyed, { wait: false, key: (id: string) => id })((id: string) => id)
    expectTypeOf(now).returns.toEqualTypeOf<Promise<number>>()
    expect([await now(1), await later(1), await one('a')]).toEqual([2, 2, 'a'])
    await expect(now(1)).rejects.toThrow(RateLimitedError)
    await expect(later(1)).rejects.toThrow(RateLimitedError)
    await expect(one('a')).rejects.toThrow(RateLimitedError)
    expect(await one('b')).toBe('b')
  })

  test('decorates methods', async () => {
    const { clock, bucket } = setUp()
    class Api {
      readonly base = 10

      @limited(bucket)
      async load(id: number) {
        return this.base + id
      }

      @limited(bucket, { wait: false })
      peek() {
        return this.base
      }
    }
    const api = new Api()
    expect(api.peek()).toBe(10)
    expect(await api.load(1)).toBe(11)
    expect(() => api.peek()).toThrow(RateLimitedError)
    const next = api.load(2)
    await clock.advanceAsync(100)
    expect(await next).toBe(12)
  })

  test('decorates methods that say what their `this` is', async () => {
    const { bucket } = setUp()
    const slots = new Semaphore({ permits: 1 })
    class Api {
      readonly base = 10

      @limited(bucket)
      async load(this: Api, id: number) {
        return this.base + id
      }

      @concurrent(slots)
      async store(this: Api, id: number) {
        return this.base - id
      }
    }
    expect([await new Api().load(1), await new Api().store(1)]).toEqual([11, 9])
  })
})

describe('concurrent', () => {
  test('a semaphore by key takes its key from the arguments, and needs one', async () => {
    const slots = new KeyedSemaphore({ permits: 1 })
    let inside = 0
    let most = 0
    const enter = concurrent(slots, { key: (account: string) => account })(
      async (account: string, turns: number) => {
        most = Math.max(most, ++inside)
        for (let turn = 0; turn < turns; turn++) await null
        inside--
        return account
      },
    )
    expect(await Promise.all([enter('a', 5), enter('a', 5)])).toEqual(['a', 'a'])
    expect(most).toBe(1)
    await Promise.all([enter('a', 5), enter('b', 5)])
    expect(most).toBe(2)
    expect(() => concurrent(slots as never)).toThrow(InvalidOptionError)
  })

  test('bounds the calls at work, and gives the permit back when one fails', async () => {
    const slots = new Semaphore({ permits: 2 })
    let active = 0
    let most = 0
    class Worker {
      @concurrent(slots)
      async work(fail: boolean) {
        most = Math.max(most, ++active)
        await new Promise(resolve => setImmediate(resolve))
        active--
        if (fail) throw new Error('failed')
        return this
      }
    }
    const worker = new Worker()
    const results = await Promise.allSettled(
      [false, true, false, true, false].map(f => worker.work(f)),
    )
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ])
    expect([most, slots.stats().active]).toEqual([2, 0])
  })

  test('alone takes semaphores: limited would never give their permits back', () => {
    const slots = new Semaphore({ permits: 2 })
    // @ts-expect-error a semaphore is no limiter of rates
    expect(() => limited(slots)).toThrow(InvalidOptionError)
    const keyed = new KeyedSemaphore({ permits: 2 })
    // @ts-expect-error nor is one by key
    expect(() => limited(keyed, { key: () => 'k' })).toThrow('is for `concurrent`')
  })

  test('refuses generator functions, as the permit would be back before they have done anything', () => {
    const wrap = concurrent(new Semaphore({ permits: 1 }))
    expect(() => wrap(function* () {})).toThrow(InvalidOptionError)
    expect(() => wrap(async function* () {})).toThrow('to be a function whose call does the work')
  })

  test('composes with limited in either order', async () => {
    const { bucket } = setUp()
    const slots = new Semaphore({ permits: 1 })
    const double = (n: number) => n * 2
    expect(await concurrent(slots)(limited(bucket)(double))(1)).toBe(2)
    expect(await limited(bucket)(concurrent(slots)(double))(2)).toBe(4)
  })
})
