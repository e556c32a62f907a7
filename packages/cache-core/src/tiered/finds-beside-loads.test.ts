import { VirtualClock } from '@millrace/testkit'
import { beforeEach, describe, expect, it } from 'vitest'
import { Cache } from '../cache/cache.ts'
import type { Store } from '../store/contract/store.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { TieredCache } from './tiered-cache.ts'

const never = (): Promise<never> => new Promise(() => {})

let clock: VirtualClock
let store: MemoryStore<string>
/** Calls of the store that read. */
let reads: number
/** What reads of the store wait for. */
let gate: Promise<void> | undefined
let cache: TieredCache<string>
/** Ends the load that was begun last. */
let finish: PromiseWithResolvers<string>

beforeEach(() => {
  clock = new VirtualClock(1_000_000)
  store = new MemoryStore({ clock })
  reads = 0
  gate = undefined
  const counted: Store<string> = new Proxy(store, {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name, target)
      if (typeof method !== 'function') return method
      return async (...args: unknown[]) => {
        if (name !== 'get' && name !== 'getMany') return method.apply(target, args)
        reads++
        const answer: unknown = await method.apply(target, args)
        await gate
        return answer
      }
    },
  })
  cache = new TieredCache<string>({
    store: counted,
    clock,
    ttl: 100,
    hardTimeout: 500,
    staleWhileRevalidate: 60_000,
    staleIfError: 60_000,
  })
})

/** A loader whose end is {@link finish}, once it has been called. */
async function begin(key: string): Promise<{ load: Promise<string> }> {
  const { promise: begun, resolve } = Promise.withResolvers<void>()
  finish = Promise.withResolvers()
  const load = cache.getOrLoad(key, () => {
    resolve()
    return finish.promise
  })
  await begun
  return { load }
}

describe.each(['get', 'getMany'] as const)('%s', verb => {
  /** As `get`, by either verb. */
  const get = async (key: string): Promise<string | undefined> =>
    verb === 'get' ? cache.get(key) : (await cache.getMany([key])).get(key)

  it('waits for no refresh, and has what is fresh, as get of Cache has', async () => {
    const plain = new Cache<string, string>({ clock, ttl: 100, staleWhileRevalidate: 60_000 })
    plain.set('a', 'old')
    await cache.set('a', 'old')
    clock.advance(101)
    expect(plain.getOrLoadSync('a', never)).toBe('old')
    const { load } = await begin('a')
    expect(await load).toBe('old')
    const before = clock.now()
    expect(await get('a')).toBe(plain.get('a'))
    expect(await get('a')).toBe(undefined)
    expect(clock.now()).toBe(before)
    finish.resolve('new')
    await clock.advanceAsync(0)
    expect(await get('a')).toBe('new')
  })

  it.each([
    ['fails', () => finish.reject(new Error('source is down'))],
    ['is late', () => {}],
  ])('rejects for no refresh that %s', async (_, end) => {
    await cache.set('a', 'old')
    clock.advance(101)
    const { load } = await begin('a')
    expect(await load).toBe('old')
    const got = get('a')
    end()
    await clock.advanceAsync(500)
    expect(await got).toBe(undefined)
    expect(cache.stats().l1.loadFailures).toBe(1)
    expect(await cache.getOrLoad('a', never)).toBe('old')
  })

  it.each([
    ['fails', () => finish.reject(new Error('source is down'))],
    ['is late', () => {}],
  ])('neither waits for nor rejects for a first load that %s', async (_, end) => {
    const { load } = await begin('a')
    const failed = expect(load).rejects.toThrow()
    const before = clock.now()
    expect(await get('a')).toBe(undefined)
    expect(await cache.peek('a')).toBe(undefined)
    expect(clock.now()).toBe(before)
    const got = get('a')
    end()
    await clock.advanceAsync(500)
    expect(await got).toBe(undefined)
    await failed
  })

  it('has a fresh value of the first tier while it is refreshed early', async () => {
    const early = new TieredCache<string>({ store, clock, ttl: 100, eagerRefresh: 0.5 })
    await early.getOrLoad('a', () => 'old')
    clock.advance(60)
    expect(await early.getOrLoad('a', never)).toBe('old')
    const got = verb === 'get' ? early.get('a') : early.getMany(['a']).then(all => all.get('a'))
    expect(await got).toBe('old')
  })

  it('finds what another process stored during a load, by one read for all who ask at once', async () => {
    await begin('a')
    await store.set('a', 'theirs')
    reads = 0
    expect(await Promise.all(Array.from({ length: 100 }, () => get('a')))).toEqual(
      Array.from({ length: 100 }, () => 'theirs'),
    )
    expect(reads).toBe(1)
    await store.set('a', 'theirs, later')
    expect(await get('a')).toBe('theirs, later')
  })

  it('has nothing that was invalidated before it was called', async () => {
    await begin('a')
    await store.set('a', 'old', { tags: ['t'] })
    const { promise, resolve } = Promise.withResolvers<void>()
    gate = promise
    const before = get('a')
    await cache.deleteTag('t')
    const after = get('a')
    resolve()
    expect(await before).toBe('old')
    expect(await after).toBe(undefined)
  })

  it('asks at most twice for a missing key that 100 callers want at once', async () => {
    expect(new Set(await Promise.all(Array.from({ length: 100 }, () => get('a'))))).toEqual(
      new Set([undefined]),
    )
    expect(reads).toBeLessThanOrEqual(2)
  })

  it('is ended by the time-out of the store, not by that of loads', async () => {
    gate = never()
    let over = false
    const got = get('a').finally(() => {
      over = true
    })
    await clock.advanceAsync(1_000)
    expect(over).toBe(false)
    await clock.advanceAsync(1_000)
    expect(await got).toBe(undefined)
  })
})

it('getMany has the others and keeps the order of its keys, whatever is being loaded', async () => {
  await cache.set('c', 'C')
  await store.set('b', 'B')
  const { load } = await begin('a')
  await store.set('a', 'theirs')
  expect([...(await cache.getMany(['b', 'a', 'none', 'c', 'a']))]).toEqual([
    ['b', 'B'],
    ['a', 'theirs'],
    ['c', 'C'],
  ])
  finish.resolve('mine')
  expect(await load).toBe('mine')
})
