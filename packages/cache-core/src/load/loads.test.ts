import { setImmediate as nextTurn } from 'node:timers/promises'
import { VirtualClock } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, expectTypeOf, it, vi } from 'vitest'
import { Cache } from '../cache/cache.ts'
import type { CacheOptions } from '../cache/cache-options.ts'
import { LoadResultError, LoadTimeoutError } from '../errors.ts'
import { loaded } from './loaded.ts'

let clock: VirtualClock
const unhandled = vi.fn()

beforeEach(() => {
  clock = new VirtualClock(1_000)
  unhandled.mockReset()
  process.on('unhandledRejection', unhandled)
})

afterEach(async () => {
  await nextTurn()
  process.off('unhandledRejection', unhandled)
  expect(unhandled).not.toHaveBeenCalled()
})

function newCache<V = number>(options: CacheOptions<string, V> = {}): Cache<string, V> {
  return new Cache({ ttl: 100, clock, ...options })
}

/** A loader whose calls end when the test says so. */
function manualLoader<V = number>() {
  const calls: {
    resolve(value: V): void
    reject(error: unknown): void
    signal: AbortSignal
    stale: V | undefined
  }[] = []
  const load = ({ signal, stale }: { signal: AbortSignal; stale: V | undefined }): Promise<V> =>
    new Promise((resolve, reject) => calls.push({ resolve, reject, signal, stale }))
  return { calls, load }
}

const fails = async (): Promise<never> => {
  throw new Error('source is down')
}

describe('getOrLoad', () => {
  it('loads once for all who ask meanwhile, and not at all on a hit', async () => {
    const cache = newCache()
    const { calls, load } = manualLoader()
    const answers = [
      cache.getOrLoad('a', load),
      cache.getOrLoad('a', load),
      cache.getOrLoad('b', load),
    ]
    expect(calls).toHaveLength(2)
    expect(cache.stats()).toMatchObject({ loading: 2, loads: 0 })
    calls[0]!.resolve(1)
    calls[1]!.resolve(2)
    expect(await Promise.all(answers)).toEqual([1, 1, 2])
    expect(await cache.getOrLoad('a', load)).toBe(1)
    expect(calls).toHaveLength(2)
    expect(cache.stats()).toMatchObject({
      loading: 0,
      loads: 2,
      loadFailures: 0,
      hits: 1,
      misses: 3,
    })
  })

  it('counts the time of loads, whether they succeed or fail, until that is reset', async () => {
    const cache = newCache()
    const { calls, load } = manualLoader()
    const answers = [cache.getOrLoad('a', load), cache.getOrLoad('b', load).catch(() => 0)]
    clock.advance(30)
    calls[0]!.resolve(1)
    await answers[0]
    clock.advance(20)
    calls[1]!.reject(new Error('source is down'))
    await answers[1]
    expect(cache.stats()).toMatchObject({ loads: 1, loadFailures: 1, loadTime: 80 })
    cache.resetStats()
    expect(cache.stats()).toMatchObject({ loads: 0, loadFailures: 0, loadTime: 0 })
  })

  it('shares one failure, keeps nothing of it, and calls the loader once', async () => {
    const cache = newCache()
    const { calls, load } = manualLoader()
    const answers = [cache.getOrLoad('a', load), cache.getOrLoad('a', load)]
    const settled = Promise.allSettled(answers)
    const error = new Error('source is down')
    calls[0]!.reject(error)
    expect(await settled).toEqual([
      { status: 'rejected', reason: error },
      { status: 'rejected', reason: error },
    ])
    expect(calls).toHaveLength(1)
    expect(cache.stats()).toMatchObject({ loading: 0, loadFailures: 1, entries: 0 })
  })

  it('is not disturbed by eviction while it loads', async () => {
    const cache = newCache({ maxEntries: 1 })
    const { calls, load } = manualLoader()
    const answers = ['a', 'b', 'c'].map(key => cache.getOrLoad(key, load))
    cache.set('d', 4)
    for (const [index, call] of calls.entries()) call.resolve(index)
    expect(await Promise.all(answers)).toEqual([0, 1, 2])
    expect(cache.size).toBe(1)
  })

  it('lets a plain set win over a load in progress', async () => {
    const cache = newCache()
    const { calls, load } = manualLoader()
    const answer = cache.getOrLoad('a', load)
    cache.set('a', 7)
    calls[0]!.resolve(1)
    expect(await answer).toBe(1)
    expect(cache.get('a')).toBe(7)
    expect(cache.stats().loadsDiscarded).toBe(1)
  })

  it('rejects instead of throwing, whatever is wrong', async () => {
    const cache = newCache<unknown>()
    const load = () => 1
    const throws = () => {
      throw new RangeError('at once')
    }
    await expect(cache.getOrLoad('a', throws)).rejects.toThrow(RangeError)
    await expect(cache.getOrLoad('a', () => undefined)).rejects.toThrow(
      'Expected the loader to return a value (`null` for "there is none"), got undefined',
    )
    await expect(cache.getOrLoad('a', async () => undefined)).rejects.toThrow(LoadResultError)
    await expect(cache.getOrLoad('a', 'load' as never)).rejects.toThrow(
      'Expected `loader` to be a function, got a string of length 4',
    )
    await expect(cache.getOrLoad('a', load, { ttl: Number.NaN })).rejects.toThrow(
      'Expected `ttl` to be a number above 0 or Infinity, got NaN',
    )
    await expect(cache.getOrLoad('a', load, { staleWhileRevalidate: -1 })).rejects.toThrow(
      'Expected `staleWhileRevalidate` to be a number of at least 0 or Infinity, got a negative integer of 1 digit',
    )
    await expect(cache.getOrLoad('a', load, { staleIfError: '5' as never })).rejects.toThrow(
      '`staleIfError`',
    )
    await expect(cache.getOrLoad('a', load, { softTimeout: -0.1 })).rejects.toThrow('`softTimeout`')
    await expect(cache.getOrLoad('a', load, { hardTimeout: 0 })).rejects.toThrow('`hardTimeout`')
    await expect(cache.getOrLoad('a', load, { eagerRefresh: 1 })).rejects.toThrow(
      'Expected `eagerRefresh` to be a number above 0 and below 1, got a positive integer of 1 digit',
    )
    await expect(cache.getOrLoad('a', load, { negativeTtl: 0 })).rejects.toThrow('`negativeTtl`')
    await expect(cache.getOrLoad('a', load, { errorBackoff: Number.NaN })).rejects.toThrow(
      '`errorBackoff`',
    )
    await expect(cache.getOrLoad('a', load, { tags: 'a' as never })).rejects.toThrow(
      'Expected `tags` to be an array of strings, got a string of length 1',
    )
    await expect(cache.getOrLoad('a', () => loaded(1, { ttl: -1 }))).rejects.toThrow('`ttl`')
    await expect(cache.getOrLoad('a', () => loaded(1, { tags: [1] as never }))).rejects.toThrow(
      '`tags`',
    )
    await expect(cache.getOrLoad('a', load, { signal: {} as never })).rejects.toThrow(
      'Expected `signal` to be an AbortSignal, got an object',
    )
    expect(() => newCache({ staleIfError: Number.NaN })).toThrow('`staleIfError`')
    expect(cache.size).toBe(0)
    expect(cache.stats().loading).toBe(0)
  })

  it('stays consistent when the weigher refuses what was loaded', async () => {
    const cache = new Cache<string, number>({ maxBytes: 10, weigher: value => value })
    await expect(cache.getOrLoad('a', () => Number.NaN)).rejects.toThrow('weigher')
    expect(await cache.getOrLoad('a', () => 11)).toBe(11)
    expect(cache.size).toBe(0)
    expect(await cache.getOrLoad('a', () => 5)).toBe(5)
    expect(cache.stats()).toMatchObject({ bytes: 5, loading: 0, refusals: 1 })
  })

  it('leaves no flight behind when the result cannot even be looked at', async () => {
    const cache = newCache<object>()
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    await expect(cache.getOrLoad('a', () => proxy)).rejects.toThrow(TypeError)
    expect(cache.stats().loading).toBe(0)
  })

  it('does not let a loader wait for itself', async () => {
    const cache = newCache()
    const inner = (): Promise<number> => cache.getOrLoad('a', () => 2)
    expect(await cache.getOrLoad('a', inner)).toBe(2)
    cache.delete('a')
    let finish = (_: number): void => {}
    const outer = cache.getOrLoad('a', async () => {
      await cache.getOrLoad('a', () => 2)
      return new Promise<number>(resolve => (finish = resolve))
    })
    await nextTurn()
    cache.delete('a')
    finish(1)
    expect(await outer).toBe(1)
    expect(cache.size).toBe(0)
  })

  it('passes through when switched off: every call loads, nothing is kept', async () => {
    const cache = newCache({ enabled: false })
    const load = vi.fn(async () => 1)
    expect(await Promise.all([cache.getOrLoad('a', load), cache.getOrLoad('a', load)])).toEqual([
      1, 1,
    ])
    expect(await cache.getOrLoadMany(['a', 'b'], async keys => keys.map(() => 2))).toEqual(
      new Map([
        ['a', 2],
        ['b', 2],
      ]),
    )
    expect(load).toHaveBeenCalledTimes(2)
    expect(cache.size).toBe(0)
  })
})

describe('deadlines and signals', () => {
  it('ends a load at its hard timeout and aborts its signal with the same error', async () => {
    const cache = newCache()
    const { calls, load } = manualLoader()
    const answer = cache.getOrLoad('a', load, { hardTimeout: 50 })
    const expected = expect(answer).rejects.toMatchObject({
      code: 'ERR_MILLRACE_LOAD_TIMEOUT',
      timeout: 50,
    })
    clock.advance(49)
    expect(calls[0]!.signal.aborted).toBe(false)
    clock.advance(1)
    await expected
    expect(calls[0]!.signal.reason).toBeInstanceOf(LoadTimeoutError)
    calls[0]!.resolve(1)
    await nextTurn()
    expect(cache.get('a')).toBeUndefined()
    expect(clock.pending).toBe(0)
  })

  it('has a hard timeout of 30 s unless told otherwise', async () => {
    const cache = newCache()
    const { load } = manualLoader()
    const answer = cache.getOrLoad('a', load)
    const expected = expect(answer).rejects.toThrow('The load did not finish within 30000 ms')
    clock.advance(30_000)
    await expected
    const endless = cache.getOrLoad('b', load, { hardTimeout: Infinity })
    expect(clock.pending).toBe(0)
    expect(await Promise.race([endless, nextTurn('pending')])).toBe('pending')
  })

  it('lets one caller give up without harm to the others', async () => {
    const cache = newCache()
    const { calls, load } = manualLoader()
    const controller = new AbortController()
    const impatient = cache.getOrLoad('a', load, { signal: controller.signal })
    const patient = cache.getOrLoad('a', load)
    controller.abort(new Error('client went away'))
    await expect(impatient).rejects.toThrow('client went away')
    expect(calls[0]!.signal.aborted).toBe(false)
    calls[0]!.resolve(1)
    expect(await patient).toBe(1)
  })

  it('aborts the load once every caller has given up, and starts anew for the next', async () => {
    const cache = newCache()
    const { calls, load } = manualLoader()
    const [one, two] = [new AbortController(), new AbortController()]
    const answers = [one, two].map(({ signal }) => cache.getOrLoad('a', load, { signal }))
    const settled = Promise.allSettled(answers)
    one.abort()
    expect(calls[0]!.signal.aborted).toBe(false)
    two.abort('last')
    expect(calls[0]!.signal.reason).toBe('last')
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(cache.stats().loading).toBe(0)
    const next = cache.getOrLoad('a', load)
    calls[1]!.resolve(2)
    expect(await next).toBe(2)
  })

  it('does not load for a caller who has given up already, but serves a hit', async () => {
    const cache = newCache()
    const load = vi.fn(() => 1)
    const signal = AbortSignal.abort('gone')
    await expect(cache.getOrLoad('a', load, { signal })).rejects.toBe('gone')
    expect(load).not.toHaveBeenCalled()
    cache.set('a', 5)
    expect(await cache.getOrLoad('a', load, { signal })).toBe(5)
  })

  it('lets a caller go whose own loader aborted the signal', async () => {
    const cache = newCache()
    const controller = new AbortController()
    const load = () => {
      controller.abort('gone')
      return new Promise<number>(() => {})
    }
    await expect(cache.getOrLoad('a', load, { signal: controller.signal })).rejects.toBe('gone')
    expect(cache.stats().loading).toBe(0)
  })

  it('makes no AbortController for a loader that does not look at its signal', async () => {
    const made = vi.spyOn(globalThis, 'AbortController')
    await newCache().getOrLoad('a', async ({ key }) => key.length)
    expect(made).not.toHaveBeenCalled()
    made.mockRestore()
  })
})

describe('stale values', () => {
  it('serves them while one load runs in the background, no longer than allowed', async () => {
    const cache = newCache({ staleWhileRevalidate: 50 })
    const { calls, load } = manualLoader()
    cache.set('a', 1)
    clock.advance(120)
    expect(cache.get('a')).toBeUndefined()
    expect(await cache.getOrLoad('a', load)).toBe(1)
    expect(await cache.getOrLoad('a', load)).toBe(1)
    expect(calls).toHaveLength(1)
    expect(calls[0]!.stale).toBe(1)
    calls[0]!.resolve(2)
    await nextTurn()
    expect(cache.get('a')).toBe(2)
    expect(cache.stats().staleServed).toBe(2)
    clock.advance(150)
    const answer = cache.getOrLoad('a', load)
    calls[1]!.resolve(3)
    expect(await answer).toBe(3)
  })

  it('survives a failed background load without an unhandled rejection, and retries with back-off', async () => {
    const cache = newCache({ staleWhileRevalidate: 100_000, errorBackoff: 1_000 })
    const load = vi.fn(fails)
    cache.set('a', 1)
    clock.advance(100)
    const attempts: number[] = []
    for (let second = 0; second < 40; second++) {
      expect(await cache.getOrLoad('a', load)).toBe(1)
      await nextTurn()
      if (load.mock.calls.length > attempts.length) attempts.push(second)
      clock.advance(1_000)
    }
    expect(attempts).toEqual([0, 1, 3, 7, 15, 31])
  })

  it('serves them when a load fails, and leaves the source alone for a while', async () => {
    const cache = newCache({ staleIfError: 5_000 })
    const load = vi.fn(fails)
    cache.set('a', 1)
    clock.advance(100)
    expect(await cache.getOrLoad('a', load)).toBe(1)
    expect(await cache.getOrLoad('a', load)).toBe(1)
    expect(load).toHaveBeenCalledTimes(1)
    clock.advance(1_000)
    expect(await cache.getOrLoad('a', load)).toBe(1)
    expect(load).toHaveBeenCalledTimes(2)
    clock.advance(5_000)
    await expect(cache.getOrLoad('a', load)).rejects.toThrow('source is down')
    expect(cache.stats()).toMatchObject({ loadFailures: 3, staleServed: 3 })
  })

  it('starts counting failures again after a success', async () => {
    const cache = newCache({ staleIfError: 60_000 })
    const load = vi.fn(fails)
    cache.set('a', 1)
    clock.advance(100)
    await cache.getOrLoad('a', load)
    clock.advance(1_000)
    await cache.getOrLoad('a', load)
    clock.advance(2_000)
    expect(await cache.getOrLoad('a', async () => 2)).toBe(2)
    clock.advance(100)
    await cache.getOrLoad('a', load)
    clock.advance(1_000)
    await cache.getOrLoad('a', load)
    expect(load).toHaveBeenCalledTimes(4)
  })

  it('serves them at the soft timeout and finishes the load in the background', async () => {
    const cache = newCache({ staleIfError: 1_000, softTimeout: 20 })
    const { calls, load } = manualLoader()
    cache.set('a', 1)
    clock.advance(100)
    const controller = new AbortController()
    const answer = cache.getOrLoad('a', load, { signal: controller.signal })
    clock.advance(20)
    expect(await answer).toBe(1)
    controller.abort()
    expect(calls[0]!.signal.aborted).toBe(false)
    calls[0]!.resolve(2)
    await nextTurn()
    expect(cache.get('a')).toBe(2)
    clock.advance(30_000)
    expect(clock.pending).toBe(0)
  })

  it('does not serve at a deadline or failure what was deleted meanwhile, but what was expired', async () => {
    for (const [verb, served] of [
      ['delete', undefined],
      ['deleteTag', undefined],
      ['clear', undefined],
      ['expire', 1],
      ['expireTag', 1],
    ] as const) {
      const cache = newCache({ staleIfError: 1_000, softTimeout: 20 })
      const { calls, load } = manualLoader()
      cache.set('a', 1, { tags: ['a'] })
      clock.advance(100)
      const answer = cache.getOrLoad('a', load).catch(() => undefined)
      cache[verb](...((verb === 'clear' ? [] : ['a']) as [never]))
      clock.advance(20)
      calls[0]!.reject(new Error('source is down'))
      expect(await answer, verb).toBe(served)
    }
  })

  it.each(['set', 'expire'] as const)(
    'does not serve what was deleted after a %s had already fenced the load',
    async first => {
      const cache = newCache({ staleIfError: 1_000 })
      const { calls, load } = manualLoader()
      cache.set('a', 1)
      clock.advance(100)
      const oldest = cache.getOrLoad('a', load)
      if (first === 'set') cache.set('a', 2, { ttl: 1 })
      else cache.expire('a')
      clock.advance(1)
      const newer = cache.getOrLoad('a', load)
      cache.delete('a')
      const outcomes = Promise.allSettled([oldest, newer])
      for (const call of calls) call.reject(new Error('source is down'))
      expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
      expect(cache.stats().loading).toBe(0)
    },
  )

  it('serves what was expired by a tag to all who wait, even if one of them came after that', async () => {
    const cache = newCache({ staleIfError: 1_000 })
    const { calls, load } = manualLoader()
    cache.set('a', 1, { tags: ['t'] })
    clock.advance(100)
    const before = cache.getOrLoad('a', load, { tags: ['t'] })
    cache.expireTag('t')
    const after = cache.getOrLoad('a', load, { tags: ['t'] })
    for (const call of calls) call.reject(new Error('source is down'))
    expect(await Promise.all([before, after])).toEqual([1, 1])
  })

  it('are kept for as long as anything may ask for them', async () => {
    const cache = newCache()
    cache.set('a', 1)
    cache.expire('a')
    clock.advance(30)
    expect(cache.get('a')).toBeUndefined()
    expect(await cache.getOrLoad('a', fails, { staleIfError: 40 })).toBe(1)
    await expect(cache.getOrLoad('a', fails, { staleIfError: 20 })).rejects.toThrow(
      'source is down',
    )
  })

  it('are handed to the loader, which may return them to keep them', async () => {
    const cache = newCache<object>({ staleIfError: 1_000 })
    const value = { etag: 'x' }
    cache.set('a', value)
    clock.advance(100)
    expect(await cache.getOrLoad('a', async ({ stale }) => stale ?? {})).toBe(value)
    expect(cache.get('a')).toBe(value)
  })
})

describe('eager refresh', () => {
  it('loads in the background once a fresh value is old enough and somebody reads it', async () => {
    const cache = newCache({ eagerRefresh: 0.8 })
    const { calls, load } = manualLoader()
    const first = cache.getOrLoad('a', load)
    calls[0]!.resolve(1)
    await first
    clock.advance(79)
    expect(await cache.getOrLoad('a', load)).toBe(1)
    expect(calls).toHaveLength(1)
    clock.advance(1)
    expect(await cache.getOrLoad('a', load)).toBe(1)
    expect(cache.getOrLoadSync('a', load)).toBe(1)
    expect(calls).toHaveLength(2)
    calls[1]!.resolve(2)
    await nextTurn()
    clock.advance(79)
    expect(await cache.getOrLoad('a', load)).toBe(2)
    expect(calls).toHaveLength(2)
  })

  it('keeps the fresh value if that fails, and waits before it tries again', async () => {
    const cache = newCache({ ttl: 10_000, eagerRefresh: 0.5 })
    const load = vi.fn(fails)
    cache.set('a', 1)
    clock.advance(5_000)
    expect(await cache.getOrLoad('a', load)).toBe(1)
    await nextTurn()
    expect(await cache.getOrLoad('a', load)).toBe(1)
    expect(load).toHaveBeenCalledTimes(1)
    clock.advance(1_000)
    expect(await cache.getOrLoad('a', load)).toBe(1)
    expect(load).toHaveBeenCalledTimes(2)
  })
})

describe('what the result decides', () => {
  it('its time to live, its tags, and whether it is kept at all', async () => {
    const cache = newCache()
    await cache.getOrLoad('short', () => loaded(1, { ttl: 10 }))
    await cache.getOrLoad('tagged', () => loaded(2, { tags: ['t'] }), { tags: ['unused'] })
    expect(await cache.getOrLoad('unkept', () => loaded(3, { store: false }))).toBe(3)
    expect(cache.has('unkept')).toBe(false)
    cache.deleteTag('unused')
    expect(cache.has('tagged')).toBe(true)
    cache.deleteTag('t')
    expect(cache.has('tagged')).toBe(false)
    clock.advance(10)
    expect(cache.has('short')).toBe(false)
  })

  it('keeps null, for a time of its own', async () => {
    const cache = newCache<number | null>({ negativeTtl: 10 })
    const load = vi.fn(async () => null)
    expect(await cache.getOrLoad('a', load)).toBeNull()
    expect(await cache.getOrLoad('a', load)).toBeNull()
    expect(load).toHaveBeenCalledTimes(1)
    clock.advance(10)
    expect(await cache.getOrLoad('a', load)).toBeNull()
    expect(load).toHaveBeenCalledTimes(2)
  })
})

describe('getOrLoadSync', () => {
  it('answers without a promise where it can', async () => {
    const cache = newCache()
    const value = cache.getOrLoadSync('a', () => 1)
    expectTypeOf(value).toEqualTypeOf<number>()
    expect(value).toBe(1)
    expect(cache.getOrLoadSync('a', () => 2)).toBe(1)
    const answer = cache.getOrLoadSync('b', async () => 3)
    expectTypeOf(answer).toEqualTypeOf<number | Promise<number>>()
    expect(answer).toBeInstanceOf(Promise)
    expect(await answer).toBe(3)
    expect(cache.getOrLoadSync('b', async () => 4)).toBe(3)
  })

  it('throws what the loader throws', () => {
    const cache = newCache()
    const throws = (): number => {
      throw new RangeError('at once')
    }
    expect(() => cache.getOrLoadSync('a', throws)).toThrow(RangeError)
    cache.set('b', 1)
    clock.advance(100)
    expect(() => cache.getOrLoadSync('b', throws)).toThrow(RangeError)
    cache.set('c', 3)
    cache.expire('c')
    expect(cache.getOrLoadSync('c', throws, { staleIfError: 10 })).toBe(3)
  })
})
