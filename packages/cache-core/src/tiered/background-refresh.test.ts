import { setImmediate as nextTurn } from 'node:timers/promises'
import { SeededScheduler, VirtualClock } from '@millrace/testkit'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { loaded } from '../load/loaded.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { TieredCache } from './tiered-cache.ts'
import type { TieredCacheOptions } from './tiered-options.ts'

let clock: VirtualClock
let store: MemoryStore<number>

beforeEach(() => {
  clock = new VirtualClock(1_000_000)
  store = new MemoryStore<number>({ clock })
})

function newCache(options: Partial<TieredCacheOptions<number>> = {}): TieredCache<number> {
  return new TieredCache<number>({ store, clock, ttl: 10_000, ...options })
}

/** Reads `a` in each way, with a loader that counts. */
const ways = {
  getOrLoad: (cache: TieredCache<number>, load: () => Promise<number>) =>
    cache.getOrLoad('a', load),
  getOrLoadMany: async (cache: TieredCache<number>, load: () => Promise<number>) =>
    (await cache.getOrLoadMany(['a'], async () => [await load()])).get('a')!,
}

describe.each(Object.entries(ways))('%s', (_, read) => {
  it('loads a new value behind a stale one that both tiers have', async () => {
    const cache = newCache({ staleWhileRevalidate: 60_000 })
    const load = vi.fn(async () => 2)
    await cache.set('a', 1)
    clock.advance(12_000)
    expect(await read(cache, load)).toBe(1)
    await nextTurn()
    expect(load).toHaveBeenCalledTimes(1)
    expect(await cache.get('a')).toBe(2)
    expect((await store.get('a'))!.value).toBe(2)
  })

  it('loads a new value behind one that was expired', async () => {
    const cache = newCache({ staleWhileRevalidate: 60_000 })
    const load = vi.fn(async () => 2)
    await cache.set('a', 1)
    await cache.expire('a')
    expect(await read(cache, load)).toBe(1)
    await nextTurn()
    expect(load).toHaveBeenCalledTimes(1)
    expect(await cache.get('a')).toBe(2)
  })

  it('takes the value that another process loaded meanwhile', async () => {
    const cache = newCache({ staleWhileRevalidate: 60_000 })
    await cache.set('a', 1)
    clock.advance(12_000)
    await store.set('a', 2, { ttl: 10_000 })
    const load = vi.fn(async () => 3)
    expect(await read(cache, load)).toBe(1)
    await nextTurn()
    expect(await cache.get('a')).toBe(2)
    expect(load).not.toHaveBeenCalled()
  })

  it('refreshes eagerly from the source, once for both tiers', async () => {
    const cache = newCache({ eagerRefresh: 0.8 })
    const other = newCache({ eagerRefresh: 0.8 })
    await cache.set('a', 1)
    expect(await other.get('a')).toBe(1)
    clock.advance(9_000)
    const load = vi.fn(async () => 2)
    expect(await read(cache, load)).toBe(1)
    await nextTurn()
    expect(await cache.get('a')).toBe(2)
    expect(await read(other, load)).toBe(1)
    await nextTurn()
    expect(await other.get('a')).toBe(2)
    expect(load).toHaveBeenCalledTimes(1)
  })
})

describe('a refresh', () => {
  it('keeps nobody waiting behind a stale value that only the second tier had', async () => {
    await store.set('a', 1, { ttl: 1, retention: 60_000 })
    clock.advance(10)
    const cache = newCache({ staleWhileRevalidate: 60_000 })
    const { promise, resolve } = Promise.withResolvers<number>()
    const load = vi.fn(() => promise)
    expect(await cache.getOrLoad('a', load)).toBe(1)
    expect(await cache.getOrLoad('a', load)).toBe(1)
    expect([...(await cache.getOrLoadMany(['a'], async () => [await load()]))]).toEqual([['a', 1]])
    await nextTurn()
    expect(load).toHaveBeenCalledTimes(1)
    resolve(2)
    await nextTurn()
    expect(await cache.get('a')).toBe(2)
  })

  it('does not make the value stale from now on', async () => {
    await store.set('a', 1, { ttl: 1, retention: 60_000 })
    clock.advance(2_000)
    const cache = newCache({ staleWhileRevalidate: 3_000, errorBackoff: 0, ttlJitter: 1 })
    const load = async () => {
      throw new Error('source is down')
    }
    expect(await cache.getOrLoad('a', load)).toBe(1)
    await nextTurn()
    clock.advance(1_500)
    await expect(cache.getOrLoad('a', load)).rejects.toThrow('source is down')
  })

  it('says to the loader what it is', async () => {
    const cache = newCache({ staleWhileRevalidate: 60_000 })
    const seen: boolean[] = []
    const load = async ({ background }: { background: boolean }) => seen.push(background)
    await cache.getOrLoad('a', load)
    clock.advance(12_000)
    await cache.getOrLoad('a', load)
    await nextTurn()
    clock.advance(12_000)
    await newCache({ staleWhileRevalidate: 60_000 }).getOrLoad('a', load)
    await nextTurn()
    expect(seen).toEqual([false, true, true])
    const batches: boolean[][] = []
    clock.advance(12_000)
    await cache.getOrLoadMany(['a', 'b'], (keys, { background }) => {
      batches.push(keys.map(background))
      return keys.map(() => 9)
    })
    expect(batches).toEqual([[true, false]])
  })

  it('that fails is counted, puts off the next and leaves no value fresh that is not', async () => {
    const cache = newCache({ staleWhileRevalidate: 60_000, staleIfError: 60_000 })
    const load = vi.fn(async () => {
      throw new Error('source is down')
    })
    await cache.set('a', 1)
    clock.advance(12_000)
    for (let times = 0; times < 3; times++) {
      expect(await cache.getOrLoad('a', load)).toBe(1)
      await nextTurn()
      expect(await cache.get('a')).toBeUndefined()
    }
    expect(load).toHaveBeenCalledTimes(1)
    expect(cache.stats().l1.loadFailures).toBe(1)
    clock.advance(1_000)
    expect(await cache.getOrLoad('a', load)).toBe(1)
    await nextTurn()
    expect(load).toHaveBeenCalledTimes(2)
  })

  it('of a fresh value that fails leaves it its life', async () => {
    const cache = newCache({ eagerRefresh: 0.5, staleIfError: 60_000, errorBackoff: 1_000 })
    await cache.set('a', 1)
    clock.advance(6_000)
    expect(
      await cache.getOrLoad('a', async () => {
        throw new Error('source is down')
      }),
    ).toBe(1)
    await nextTurn()
    const { storeHits } = cache.stats()
    clock.advance(3_000)
    expect(await cache.get('a')).toBe(1)
    expect(cache.stats().storeHits).toBe(storeHits)
  })

  it('of a copy that l1Ttl ends is a read of the second tier', async () => {
    const cache = newCache({ eagerRefresh: 0.8, l1Ttl: 1_000 })
    await cache.getOrLoad('a', async () => 1)
    const load = vi.fn(async () => 2)
    for (let times = 0; times < 8; times++) {
      clock.advance(900)
      expect(await cache.getOrLoad('a', load)).toBe(1)
      await nextTurn()
    }
    expect(load).not.toHaveBeenCalled()
    clock.advance(2_000)
    expect(await cache.getOrLoad('a', load)).toBe(1)
    await nextTurn()
    clock.advance(700)
    expect(await cache.getOrLoad('a', load)).toBe(1)
    await nextTurn()
    expect(load).toHaveBeenCalledTimes(1)
    expect(await cache.get('a')).toBe(2)
  })

  it('is not begun for a caller who had given up before the stale value was found', async () => {
    const cache = newCache({ staleWhileRevalidate: 60_000 })
    await store.set('a', 1, { ttl: 1, retention: 60_000 })
    clock.advance(10)
    const controller = new AbortController()
    const answer = cache.getOrLoad('a', async () => 2, { signal: controller.signal })
    controller.abort()
    await expect(answer).rejects.toThrow('aborted')
    await nextTurn()
    await cache.delete('a')
    const load = vi.fn(async () => loaded(3, { store: false }))
    expect(await cache.getOrLoad('a', load)).toBe(3)
    await nextTurn()
    expect(load).toHaveBeenCalledTimes(1)
  })
})

describe('a soft timeout', () => {
  const options = { staleIfError: 60_000, softTimeout: 50, hardTimeout: Infinity }
  const source = () => {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    let signal: AbortSignal | undefined
    const load = (context: { signal: AbortSignal }): Promise<number> => {
      signal = context.signal
      return promise
    }
    return { load, resolve, reject, aborted: () => signal?.aborted }
  }
  const staleInStore = async (): Promise<void> => {
    await newCache(options).set('a', 1)
    clock.advance(12_000)
  }

  it('serves the stale value of the second tier and lets the load go on', async () => {
    await staleInStore()
    const cache = newCache(options)
    const { signal } = new AbortController()
    const { load, resolve } = source()
    const answers = [
      cache.getOrLoad('a', load),
      cache.getOrLoad('a', load, { signal }),
      cache.getOrLoadMany(['a'], () => []).then(values => values.get('a')),
    ]
    await clock.advanceAsync(49)
    expect(await Promise.race([...answers, 'none'])).toBe('none')
    await clock.advanceAsync(1)
    expect(await Promise.all(answers)).toEqual([1, 1, 1])
    resolve(2)
    await nextTurn()
    expect(await cache.get('a')).toBe(2)
    expect((await store.get('a'))!.value).toBe(2)
    // The calls of the store share one timer, which is left for the next of them.
    await cache.close()
    expect(clock.pending).toBe(0)
  })

  it('is passed where there is no stale value, or it was deleted meanwhile', async () => {
    await staleInStore()
    const cache = newCache(options)
    const { load, resolve } = source()
    const answers = [cache.getOrLoad('a', load), cache.getOrLoad('b', load)]
    const many = cache.getOrLoadMany(['a', 'b'], () => [])
    await store.delete('a')
    await clock.advanceAsync(60)
    resolve(2)
    expect(await Promise.all(answers)).toEqual([2, 2])
    expect([...(await many).values()]).toEqual([2, 2])
  })

  it('leaves a signal its effect before, and none after', async () => {
    await staleInStore()
    const cache = newCache(options)
    const [early, late] = [new AbortController(), new AbortController()]
    const first = source()
    const given = cache.getOrLoad('b', first.load, { signal: early.signal })
    await nextTurn()
    early.abort(new Error('given up'))
    await expect(given).rejects.toThrow('given up')
    expect(first.aborted()).toBe(true)
    await expect(cache.getOrLoad('a', first.load, { signal: early.signal })).rejects.toThrow(
      'given up',
    )

    const second = source()
    const served = cache.getOrLoad('a', second.load, { signal: late.signal })
    await clock.advanceAsync(50)
    expect(await served).toBe(1)
    late.abort()
    second.resolve(3)
    await nextTurn()
    expect(second.aborted()).toBe(false)
    expect(await cache.get('a')).toBe(3)
  })

  it('reaches nothing where the cache is switched off', async () => {
    await staleInStore()
    const cache = newCache({ ...options, enabled: false })
    const { load, resolve } = source()
    const answer = cache.getOrLoad('a', load)
    await clock.advanceAsync(60)
    resolve(5)
    expect(await answer).toBe(5)
  })
})

it('lets nothing stand in for a failed load that was deleted while it ran', async () => {
  await newCache().set('a', 1)
  await store.set('a', 1, { ttl: 1, retention: 60_000, tags: ['t'] })
  clock.advance(10)
  for (const name of ['a', 't']) {
    const cache = newCache({ staleIfError: 60_000 })
    const { promise, reject } = Promise.withResolvers<number>()
    const answer = cache.getOrLoad('a', () => promise)
    const many = newCache({ staleIfError: 60_000 }).getOrLoadMany(['a'], async () => [
      await promise,
    ])
    await nextTurn()
    if (name === 'a') await store.delete('a')
    else await store.deleteTag('t')
    reject(new Error('source is down'))
    await expect(answer).rejects.toThrow('source is down')
    expect((await many.catch(error => error)).errors.get('a').message).toBe('source is down')
    await store.set('a', 1, { ttl: 1, retention: 60_000, tags: ['t'] })
    clock.advance(10)
  }
})

it('lets the stale value stand in that was read before the store broke', async () => {
  await store.set('a', 1, { ttl: 1, retention: 60_000 })
  clock.advance(10)
  const cache = newCache({ staleIfError: 60_000 })
  const { promise, reject } = Promise.withResolvers<number>()
  const answer = cache.getOrLoad('a', () => promise)
  await nextTurn()
  await store.close()
  reject(new Error('source is down'))
  expect(await answer).toBe(1)
})

it('does not serve a stale value to who came after the deletion of a tag that only it names', async () => {
  await store.set('a', 1, { ttl: 1, retention: 60_000, tags: ['t'] })
  clock.advance(10)
  const scheduler = new SeededScheduler(() => 0)
  const slow = new Proxy(store, {
    get(target, method) {
      const value: unknown = Reflect.get(target, method, target)
      if (typeof value !== 'function') return value
      return method === 'get' ? scheduler.wrap(value.bind(target), 'get') : value.bind(target)
    },
  })
  const cache = newCache({ store: slow, staleWhileRevalidate: 60_000 })
  const before = cache.getOrLoad('a', async () => 2)
  await scheduler.step() // The entry is read, and is on its way.
  await cache.deleteTag('t')
  const after = cache.getOrLoad('a', async () => 2)
  await scheduler.settle()
  expect(await before).toBe(1)
  expect(await after).toBe(2)
})
