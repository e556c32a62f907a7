import { setImmediate as nextTurn } from 'node:timers/promises'
import { runs, SeededScheduler, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { loaded } from '../load/loaded.ts'
import type { Store } from '../store/contract/store.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { MemoryChannel } from './bus/memory-bus.ts'
import { TieredCache } from './tiered-cache.ts'
import type { TieredCacheOptions } from './tiered-options.ts'

let clock: VirtualClock
let store: MemoryStore<number | null>
let channel: MemoryChannel
const unhandled = vi.fn()

beforeEach(() => {
  clock = new VirtualClock(1_000_000)
  store = new MemoryStore({ clock })
  channel = new MemoryChannel()
  unhandled.mockReset()
  process.on('unhandledRejection', unhandled)
})

afterEach(async () => {
  await nextTurn()
  process.off('unhandledRejection', unhandled)
  expect(unhandled).not.toHaveBeenCalled()
})

function newCache(
  options: Partial<TieredCacheOptions<number | null>> = {},
): TieredCache<number | null> {
  return new TieredCache<number | null>({
    store,
    bus: channel.connect(),
    clock,
    ttl: 10_000,
    ...options,
  })
}

const fails = async (): Promise<never> => {
  throw new Error('source is down')
}

/** A store that breaks when told to. */
function breakable(): { store: Store<number | null>; broken: 'no' | 'rejects' | 'hangs' } {
  const state: { store: Store<number | null>; broken: 'no' | 'rejects' | 'hangs' } = {
    store,
    broken: 'no',
  }
  state.store = new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        if (name !== 'stats' && state.broken === 'rejects')
          return Promise.reject(new Error('no connection'))
        if (name !== 'stats' && state.broken === 'hangs') return new Promise(() => {})
        return value.apply(target, args)
      }
    },
  })
  return state
}

describe('reading', () => {
  it('answers from the first tier, else from the second, else from the loader', async () => {
    const [one, two] = [newCache(), newCache()]
    const load = vi.fn(async () => 1)
    expect(await Promise.all([one.getOrLoad('a', load), one.getOrLoad('a', load)])).toEqual([1, 1])
    expect(await two.getOrLoad('a', load)).toBe(1)
    expect(await two.get('a')).toBe(1)
    expect(await two.get('b')).toBeUndefined()
    expect(load).toHaveBeenCalledTimes(1)
    expect(two.stats()).toMatchObject({ storeHits: 1, storeMisses: 1, l1: { hits: 1 } })
  })

  it('costs no call of the second tier on a tagged hit of the first', async () => {
    const cache = newCache()
    await cache.getOrLoad('a', () => 1, { tags: ['t', 'u'] })
    const before = store.stats()
    for (let index = 0; index < 10; index++) expect(await cache.getOrLoad('a', fails)).toBe(1)
    expect(store.stats()).toEqual(before)
  })

  it('reads, loads and writes many at once', async () => {
    const [one, two] = [newCache(), newCache()]
    await one.set('a', 1)
    await one.set('b', 2)
    const load = vi.fn(
      async (keys: readonly string[]) =>
        new Map(keys.map(key => [key, key === 'x' ? undefined! : 9])),
    )
    const getMany = vi.spyOn(store, 'lookup')
    const setMany = vi.spyOn(store, 'setMany')
    const values = await two.getOrLoadMany(['c', 'a', 'x', 'b', 'd'], load)
    expect([...values]).toEqual([
      ['c', 9],
      ['a', 1],
      ['b', 2],
      ['d', 9],
    ])
    expect(load.mock.calls[0]![0]).toEqual(['c', 'x', 'd'])
    expect([getMany.mock.calls.length, setMany.mock.calls.length]).toEqual([1, 1])
    expect(await one.get('d')).toBe(9)
  })

  it('keeps a value no longer in the first tier than in the second, nor than l1Ttl', async () => {
    const [writer, reader] = [newCache(), newCache({ l1Ttl: 1_000, bus: undefined as never })]
    await writer.set('a', 1, { ttl: 3_000 })
    await reader.get('a')
    await store.set('a', 2)
    clock.advance(999)
    expect(await reader.get('a')).toBe(1)
    clock.advance(1)
    expect(await reader.get('a')).toBe(2)
  })

  it('gets no stale value, whatever may be served to those who load', async () => {
    const cache = newCache({ staleWhileRevalidate: 60_000, staleIfError: 60_000 })
    await cache.set('a', 1)
    await cache.set('b', 1)
    await cache.expire('b')
    clock.advance(12_000)
    expect([await cache.get('a'), await cache.get('b')]).toEqual([undefined, undefined])
    expect(await cache.getOrLoad('a', fails)).toBe(1)
    expect(await cache.getOrLoad('b', fails)).toBe(1)
    await nextTurn()
    expect([await cache.get('a'), await cache.get('b')]).toEqual([undefined, undefined])
  })

  it('tells only values and failures where one key was looked up without a loader and another failed', async () => {
    const cache = newCache()
    const [got, failure] = await Promise.all([
      cache.get('a'),
      cache
        .getOrLoadMany(['a', 'b'], keys => keys.map(key => (key === 'b' ? new Error('b') : 1)))
        .catch(e => e),
    ])
    expect(got).toBeUndefined()
    expect([...failure.results]).toEqual([['a', 1]])
    expect([...failure.errors.keys()]).toEqual(['b'])
  })

  it('lets a caller with a loader load when one without found nothing', async () => {
    const cache = newCache()
    const [found, value] = await Promise.all([cache.get('a'), cache.getOrLoad('a', () => 1)])
    expect([found, value]).toEqual([undefined, 1])
    const [absent, many] = await Promise.all([
      cache.get('b'),
      cache.getOrLoadMany(['b'], () => [2]),
    ])
    expect([absent, many.get('b')]).toEqual([undefined, 2])
  })

  it('lets the result decide, for both tiers', async () => {
    const cache = newCache({ negativeTtl: 50 })
    await cache.getOrLoad('unkept', () => loaded(1, { store: false }))
    await cache.getOrLoad('tagged', () => loaded(2, { tags: ['t'], ttl: 100 }))
    await cache.getOrLoad('none', () => null)
    const entries = await store.getMany(['unkept', 'tagged', 'none'])
    expect(
      entries.map(entry => entry && [entry.value, entry.expires - clock.now(), entry.tags]),
    ).toEqual([undefined, [2, 100, ['t']], [null, 50, []]])
    await expect(cache.getOrLoad('a', () => undefined as never)).rejects.toThrow(
      '`null` for "there is none"',
    )
  })

  it('stores nothing and asks nobody when switched off', async () => {
    const cache = newCache({ enabled: false })
    await cache.set('a', 1)
    expect(await cache.getOrLoad('a', () => 2)).toBe(2)
    expect(await cache.get('a')).toBeUndefined()
    expect(store.stats()).toMatchObject({ writes: 0, hits: 0, misses: 0 })
  })
})

describe('stale values of the second tier', () => {
  it('serve while one caller refreshes in the background', async () => {
    const options = { staleWhileRevalidate: 5_000 }
    await newCache(options).set('a', 1)
    clock.advance(12_000)
    const cache = newCache(options)
    const load = vi.fn(async ({ stale }: { stale: number | null | undefined }) => stale! + 1)
    expect(await cache.getOrLoad('a', load)).toBe(1)
    await expect.poll(() => cache.get('a')).toBe(2)
    expect((await store.get('a'))!.value).toBe(2)
    expect(load).toHaveBeenCalledTimes(1)
    await newCache(options).set('b', 1)
    clock.advance(12_000)
    const many = await newCache(options).getOrLoadMany(['b'], () => [7])
    expect([...many]).toEqual([['b', 1]])
    await expect.poll(async () => (await store.get('b'))!.value).toBe(7)
  })

  it('serve when the source is down, which is then left alone for a while', async () => {
    const options = { staleIfError: 60_000, errorBackoff: 1_000 }
    await newCache(options).set('a', 1)
    clock.advance(12_000)
    const cache = newCache(options)
    const load = vi.fn(fails)
    expect(await cache.getOrLoad('a', load)).toBe(1)
    expect(await cache.getOrLoad('a', load)).toBe(1)
    expect(load).toHaveBeenCalledTimes(1)
    const failure = await newCache(options)
      .getOrLoadMany(['a', 'b'], fails)
      .catch(e => e)
    expect([...failure.results]).toEqual([['a', 1]])
    clock.advance(60_000)
    await expect(newCache(options).getOrLoad('a', load)).rejects.toThrow('source is down')
  })
})

describe('many at once', () => {
  it('are read, written and deleted by one call of the store each', async () => {
    const [one, other] = [newCache(), newCache()]
    const setMany = vi.spyOn(store, 'setMany')
    const getMany = vi.spyOn(store, 'getMany')
    const deleteMany = vi.spyOn(store, 'deleteMany')
    const values = new Map([
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ])
    await one.setMany(values, { tags: ['t'], ttl: 5_000 })
    expect([...(await other.getMany(['a', 'b', 'd']))]).toEqual([
      ['a', 1],
      ['b', 2],
    ])
    expect([...(await other.getMany(['b', 'c', 'a']))]).toEqual([
      ['b', 2],
      ['c', 3],
      ['a', 1],
    ])
    await one.setMany([
      ['a', 4],
      ['a', 5],
    ])
    expect(await other.get('a')).toBe(5)
    expect(await one.deleteMany(['a', 'c', 'd', 'a'])).toBe(2)
    expect([...(await other.getMany(values.keys()))]).toEqual([['b', 2]])
    expect([setMany, getMany, deleteMany].map(({ mock }) => mock.calls.length)).toEqual([2, 2, 1])
    await one.deleteTag('t')
    expect(await other.getMany(['b'])).toEqual(new Map())
    await one.setMany([])
    expect(await one.deleteMany([])).toBe(0)
    expect(setMany).toHaveBeenCalledTimes(2)
  })

  it('reach both tiers and every process though a listener throws', async () => {
    const cache = newCache({
      onRemove: key => {
        throw new Error(`listener of ${key}`)
      },
    })
    const other = newCache()
    await cache.setMany(Object.entries({ a: 1, b: 2 }))
    expect((await other.getMany(['a', 'b'])).size).toBe(2)
    await cache.deleteMany(['a', 'b'])
    expect(await other.getMany(['a', 'b'])).toEqual(new Map())
    expect(await store.getMany(['a', 'b'])).toEqual([undefined, undefined])
  })

  it('keep in the first tier what the second took and nothing else', async () => {
    const tier = breakable()
    const cache = newCache({ store: tier.store })
    await cache.setMany(Object.entries({ a: 1, b: 2 }))
    tier.broken = 'rejects'
    await expect(cache.setMany(Object.entries({ a: 3, b: 4 }))).rejects.toThrow('no connection')
    tier.broken = 'no'
    // What failed may have been stored or not, so neither is served, and both are deleted when the store answers.
    expect([...(await cache.getMany(['a', 'b'])).values()]).toEqual([])
    await clock.advanceAsync(1_000)
    expect(await store.getMany(['a', 'b'])).toEqual([undefined, undefined])
  })
})

describe('writing and invalidating', () => {
  it.each([
    'delete',
    'expire',
    'deleteTag',
    'expireTag',
    'deleteMatching',
    'expireMatching',
    'clear',
  ] as const)('%s reaches both tiers of every process', async verb => {
    const [one, two] = [newCache({ staleIfError: 60_000 }), newCache({ staleIfError: 60_000 })]
    await one.set('k', 1, { tags: ['k'] })
    expect([await one.get('k'), await two.get('k')]).toEqual([1, 1])
    await one[verb](
      verb.endsWith('Matching') ? 'k*' : verb === 'clear' ? (undefined as never) : 'k',
    )
    expect([await one.get('k'), await two.get('k')]).toEqual([undefined, undefined])
    expect(two.stats().received).toBeGreaterThan(0)
    const soft = verb.startsWith('expire')
    const answer = two.getOrLoad('k', fails)
    if (soft) expect(await answer).toBe(1)
    else await expect(answer).rejects.toThrow('source is down')
  })

  it('tells other processes of a new value', async () => {
    const [one, two] = [newCache(), newCache()]
    await one.set('a', 1)
    expect(await two.get('a')).toBe(1)
    await one.set('a', 2)
    expect(await two.get('a')).toBe(2)
  })

  it('reads what it held in batches when messages may have been lost, and keeps none of it that is invalidated meanwhile', async () => {
    const bus = channel.connect()
    const cache = newCache({ bus, maxEntries: 1_000 })
    const keys = Array.from({ length: 600 }, (_, index) => `k${index}`)
    for (const key of keys) await cache.set(key, 1)
    await store.set('k7', 2)
    const { getMany } = store
    const reads: number[] = []
    const gate = Promise.withResolvers<void>()
    store.getMany = async (...args) => {
      reads.push(args[0].length)
      const entries = await getMany.apply(store, args)
      if (reads.length === 1) await gate.promise
      return entries
    }
    bus.breakOff()
    await nextTurn()
    const deleted = cache.delete('k8')
    gate.resolve()
    await deleted
    while (cache.stats().l1.entries < keys.length - 1) await nextTurn()
    store.getMany = getMany
    expect(reads).toEqual([250, 250, 100])
    const { hits } = store.stats()
    expect([await cache.get('k7'), await cache.get('k9'), await cache.get('k8')]).toEqual([
      2,
      1,
      undefined,
    ])
    expect(store.stats().hits).toBe(hits)
  })

  it('drops the first tier when messages may have been lost, and leaves the bus when disposed of', async () => {
    const bus = channel.connect()
    const cache = newCache({ bus })
    await cache.set('a', 1)
    await store.set('a', 2)
    expect(await cache.get('a')).toBe(1)
    bus.breakOff()
    expect(await cache.get('a')).toBe(2)
    await cache[Symbol.asyncDispose]()
    bus.breakOff()
    expect(cache.stats().gaps).toBe(1)
  })
})

describe('a second tier in trouble', () => {
  it.each(['rejects', 'hangs'] as const)(
    'that %s makes loads more frequent, not fail',
    async broken => {
      const tier = breakable()
      const cache = newCache({ store: tier.store, storeTimeout: 100 })
      tier.broken = broken
      const answer = cache.getOrLoad('a', () => 1)
      for (let step = 0; step < 5; step++) {
        await nextTurn()
        clock.advance(100)
      }
      expect(await answer).toBe(1)
      expect(await cache.getOrLoad('a', fails)).toBe(1)
      expect(cache.stats().storeFailures).toBe(1)
      clock.advance(30_000)
      expect(clock.pending).toBe(0)
    },
  )

  it('makes writes and invalidations reject, after the first tiers were told', async () => {
    const tier = breakable()
    const [one, two] = [newCache({ store: tier.store }), newCache()]
    await one.set('a', 1)
    await two.get('a')
    tier.broken = 'rejects'
    await expect(one.delete('a')).rejects.toThrow('no connection')
    expect(two.stats().received).toBe(2)
    await expect(one.set('a', 2)).rejects.toThrow('no connection')
    tier.broken = 'no'
    expect(await one.get('a')).toBe(undefined)
    expect(one.stats().pending).toBe(1)
    await clock.advanceAsync(1_000)
    expect(one.stats()).toMatchObject({ pending: 0, repeated: 1 })
    expect(await store.get('a')).toBe(undefined)
    expect(two.stats().received).toBe(4)
  })

  it('tells the store and other processes of an invalidation though onRemove throws', async () => {
    const cache = newCache({
      onRemove: key => {
        throw new Error(`listener of ${key}`)
      },
    })
    const other = newCache()
    for (const key of ['a', 'b']) {
      await cache.set(key, 1)
      expect(await other.get(key)).toBe(1)
    }
    await cache.delete('a')
    expect(await store.get('a')).toBeUndefined()
    expect(await other.get('a')).toBeUndefined()
    await other.delete('b')
    expect(await cache.get('b')).toBeUndefined()
  })

  it('tells other processes of a new value though the listener of what made room for it throws', async () => {
    const cache = newCache({
      maxEntries: 1,
      onRemove: key => {
        if (key === 'a') throw new Error('listener of a')
      },
    })
    const other = newCache()
    await other.set('b', 1)
    expect(await other.get('b')).toBe(1)
    await cache.set('a', 1)
    await cache.set('b', 2)
    expect((await store.get('b'))!.value).toBe(2)
    expect(await other.get('b')).toBe(2)
  })

  it('is not harmed by a bus that fails', async () => {
    const bus = { publish: () => Promise.reject(new Error('down')), subscribe: () => () => {} }
    const cache = newCache({ bus })
    await cache.set('a', 1)
    expect(await cache.delete('a')).toBe(true)
    expect(cache.stats().publishFailures).toBe(2)
  })
})

it('rejects where a pattern or a tag is none, and throws nothing', async () => {
  const cache = newCache()
  await expect(cache.deleteMatching('')).rejects.toThrow('`pattern`')
  await expect(cache.deleteTag(['t'] as never)).rejects.toThrow('Expected `tag` to be a string')
})

it('refuses options that are none', () => {
  expect(() => newCache({ l1Ttl: 0 })).toThrow('`l1Ttl`')
  expect(() => newCache({ storeTimeout: Number.NaN })).toThrow('`storeTimeout`')
  expect(() => new TieredCache({} as never)).toThrow(
    'Expected `store` to be a Store, with a method `fence`, got undefined',
  )
})

it('never serves in any process what was invalidated in one, in whatever order store, bus and source answer', async () => {
  const action = fc.record({
    at: fc.nat(1),
    key: fc.constantFrom('a', 'b'),
    verb: fc.constantFrom(
      'read',
      'read',
      'read',
      'many',
      'get',
      'delete',
      'expire',
      'deleteTag',
      'expireTag',
      'deleteMatching',
      'clear',
      'set',
    ),
    named: fc.boolean(),
  })
  const list = fc.array(action, { maxLength: 10, size: 'max' })
  await fc.assert(
    fc.asyncProperty(fc.integer(), list, fc.boolean(), async (seed, actions, lenient) => {
      const scheduler = new SeededScheduler(seed)
      const memory = new MemoryStore<number>({ clock })
      const gated = (name: string): Store<number> =>
        new Proxy(memory, {
          get(target, method) {
            const value: unknown = Reflect.get(target, method, target)
            if (typeof value !== 'function') return value
            const call = value.bind(target) as (...args: unknown[]) => unknown
            if (method === 'stats' || method === 'keys') return call
            return scheduler.wrap(
              async (...args: unknown[]) => call(...args),
              `${name}:${String(method)}`,
            )
          },
        })
      const group = new MemoryChannel()
      const caches = ['p', 'q'].map(name => {
        const bus = group.connect()
        const publish = scheduler.wrap(bus.publish.bind(bus), `${name}:publish`)
        return new TieredCache<number>({
          store: gated(name),
          bus: { publish, subscribe: bus.subscribe.bind(bus) },
          clock,
          staleWhileRevalidate: lenient ? 60_000 : 0,
        })
      })
      let version = 1
      const floor: Record<string, number> = { a: 1, b: 1 }
      /** The same for reads that may be served what was expired. */
      const staleFloor: Record<string, number> = { a: 1, b: 1 }
      const inTheEnd: Record<string, number> = { a: 1, b: 1 }
      const source = scheduler.wrap(async () => version, 'source')
      const tags = (key: string): string[] => ['both', key]
      let writers: Promise<unknown> = Promise.resolve()

      const read = async ({ at, key, verb, named }: (typeof actions)[number]): Promise<void> => {
        const fresh = floor[key]!
        const atLeast = { ...(lenient ? staleFloor : floor) }
        const cache = caches[at]!
        if (verb === 'get') {
          expect((await cache.get(key)) ?? Infinity).toBeGreaterThanOrEqual(fresh)
        } else if (verb === 'read') {
          const value = named
            ? await cache.getOrLoad(key, async () => loaded(await source(), { tags: tags(key) }))
            : await cache.getOrLoad(key, source, { tags: tags(key) })
          expect(value).toBeGreaterThanOrEqual(atLeast[key]!)
        } else {
          const values = await cache.getOrLoadMany(['a', 'b'], async keys => {
            const value = await source()
            return keys.map(k => loaded(value, { tags: tags(k) }))
          })
          for (const [k, value] of values) expect(value).toBeGreaterThanOrEqual(atLeast[k]!)
        }
      }
      const write = async ({ at, key, verb }: (typeof actions)[number]): Promise<void> => {
        const cache = caches[at]!
        const changed = ++version
        const both = verb === 'expireTag' || verb === 'clear'
        if (verb === 'delete') await cache.delete(key)
        else if (verb === 'expire') await cache.expire(key)
        else if (verb === 'deleteTag') await cache.deleteTag(key)
        else if (verb === 'expireTag') await cache.expireTag('both')
        else if (verb === 'deleteMatching') await cache.deleteMatching(`${key}*`)
        else if (verb === 'clear') await cache.clear()
        else await cache.set(key, changed, { tags: tags(key) })
        // A pattern reaches a load in another process only through the bus: it holds in the end, not at once.
        const reached = verb === 'deleteMatching' ? inTheEnd : floor
        for (const k of both ? ['a', 'b'] : [key]) {
          reached[k] = changed
          if (reached === floor && !verb.startsWith('expire')) staleFloor[k] = changed
        }
      }
      const done = actions.map((action, index) =>
        scheduler.defer(() => {
          if (['read', 'many', 'get'].includes(action.verb)) return read(action)
          writers = writers.then(() => write(action))
          return writers
        }, `${index}:${action.verb}`),
      )
      await scheduler.settle()
      await Promise.all(done)
      for (const key of ['a', 'b']) {
        const least = Math.max(floor[key]!, inTheEnd[key]!)
        const entry = await memory.get(key)
        if (entry !== undefined && entry.expires > clock.now()) {
          expect(entry.value).toBeGreaterThanOrEqual(least)
        }
        for (const cache of caches) {
          const held = cache.get(key)
          await scheduler.settle()
          expect((await held) ?? Infinity).toBeGreaterThanOrEqual(least)
        }
      }
    }),
    { numRuns: runs(150) },
  )
})
