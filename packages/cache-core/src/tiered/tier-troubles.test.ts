import { setImmediate as nextTurn } from 'node:timers/promises'
import { monotonicClock } from '@millrace/kit'
import { runs, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { LoadResultError } from '../errors.ts'
import { loaded } from '../load/loaded.ts'
import { memoryPressure } from '../size/memory-pressure.ts'
import { UnencodableValueError } from '../store/contract/errors.ts'
import type { Store } from '../store/contract/store.ts'
import { structuredCodec } from '../store/format/codec.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { turnClock } from '../time/turn-clock.ts'
import type { InvalidationBus } from './bus/invalidation-bus.ts'
import { MemoryChannel } from './bus/memory-bus.ts'
import { LayeredStore } from './layered/layered-store.ts'
import type { LoadLease } from './load/load-lease.ts'
import { TieredCache } from './tiered-cache.ts'
import type { TieredCacheOptions } from './tiered-options.ts'

function fail(what: string): never {
  throw new Error(what)
}

type Trouble = 'none' | 'reject' | 'hang' | 'late' | 'slow' | 'partial'

/** A store of which chosen calls fail, never answer, are slow, take effect without saying so, or before they fail. */
function troubled(store: Store<unknown>): { store: Store<unknown>; trouble: Trouble } {
  const state = { store, trouble: 'none' as Trouble }
  state.store = new Proxy(store, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name, target)
      if (typeof method !== 'function') return method
      if (name === 'stats') return method.bind(target)
      return (...args: unknown[]) => {
        if (name === 'keys' && state.trouble !== 'none') {
          return { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }
        }
        if (state.trouble === 'reject') return Promise.reject(new Error('no connection'))
        if (state.trouble === 'none') return method.apply(target, args)
        if (state.trouble === 'slow') {
          const { promise, resolve } = Promise.withResolvers<void>()
          clock.setTimer(resolve, 20)
          return promise.then(() => method.apply(target, args))
        }
        if (state.trouble === 'partial') {
          return Promise.resolve(method.apply(target, args)).then(() => {
            throw new Error('the connection broke')
          })
        }
        if (state.trouble === 'late') void method.apply(target, args)
        return new Promise(() => {})
      }
    },
  })
  return state
}

let clock: VirtualClock
let memory: MemoryStore
beforeEach(() => {
  clock = new VirtualClock(1_000_000)
  memory = new MemoryStore({ clock })
})

/** The outcome of a call for which the clock moves by the time-out. */
async function outcome(call: Promise<unknown>): Promise<unknown> {
  const settled = call.then(
    value => value,
    error => (error as { code?: string }).code,
  )
  await clock.advanceAsync(100)
  return Promise.race([settled, nextTurn('waits')])
}

const verbs: Record<string, (cache: TieredCache<unknown>) => Promise<unknown>> = {
  set: cache => cache.set('k', 2),
  setMany: cache => cache.setMany([['k', 2]]),
  delete: cache => cache.delete('k'),
  deleteMany: cache => cache.deleteMany(['k']),
  expire: cache => cache.expire('k'),
  expireMany: cache => cache.expireMany(['k']),
  deleteTag: cache => cache.deleteTag('t'),
  expireTag: cache => cache.expireTag('t'),
  deleteMatching: cache => cache.deleteMatching('k*'),
  expireMatching: cache => cache.expireMatching('k*'),
  clear: cache => cache.clear(),
}

describe.each(Object.entries(verbs))('%s on a store in trouble', (_, verb) => {
  test.each(['hang', 'late'] as const)(
    'ends by the time-out when calls %s, and holds afterwards',
    async how => {
      const tier = troubled(memory)
      const cache = new TieredCache<unknown>({ store: tier.store, clock, storeTimeout: 100 })
      await cache.set('k', 1, { tags: ['t'] })
      tier.trouble = how
      expect(await outcome(verb(cache))).toBe('ERR_MILLRACE_STORE_TIMEOUT')
      tier.trouble = 'none'
      expect(await cache.get('k')).toBe(undefined)
      await clock.advanceAsync(1_000)
      expect(cache.stats().pending).toBe(0)
      const entry = await memory.get('k')
      expect(entry === undefined || entry.expires === 0).toBe(true)
      await cache.close()
      expect(clock.pending).toBe(0)
    },
  )
})

test('peers that read an outdated value from the store while it could not be told hear of it again', async () => {
  const channel = new MemoryChannel()
  const tier = troubled(memory)
  const [here, there] = [tier.store, memory].map(
    store => new TieredCache<unknown>({ store, clock, bus: channel.connect() }),
  )
  await here!.set('k', 'old')
  tier.trouble = 'reject'
  await expect(here!.delete('k')).rejects.toThrow('no connection')
  expect(await there!.get('k')).toBe('old')
  tier.trouble = 'none'
  await clock.advanceAsync(1_000)
  expect(await there!.get('k')).toBe(undefined)
})

test('a publication that failed is repeated', async () => {
  const channel = new MemoryChannel()
  const bus = channel.connect()
  const publish = bus.publish.bind(bus)
  bus.publish = () => Promise.reject(new Error('no connection'))
  const here = new TieredCache<unknown>({ store: memory, clock, bus })
  const there = new TieredCache<unknown>({ store: memory, clock, bus: channel.connect() })
  await memory.set('k', 1)
  expect(await there.get('k')).toBe(1)
  await here.delete('k')
  expect(await there.get('k')).toBe(1)
  bus.publish = publish
  await clock.advanceAsync(1_000)
  expect(await there.get('k')).toBe(undefined)
})

const silent: InvalidationBus = { publish: () => new Promise(() => {}), subscribe: () => () => {} }

test.each(Object.entries(verbs))('%s ends though the bus does not answer', async (_, verb) => {
  const cache = new TieredCache<unknown>({ store: memory, clock, bus: silent, storeTimeout: 40 })
  await memory.set('k', 1)
  expect(await outcome(verb(cache))).not.toBe('waits')
  expect(cache.stats()).toMatchObject({ pending: 0, storeFailures: 0 })
  expect(cache.stats().publishFailures).toBeGreaterThan(0)
  const closed = cache.close()
  await clock.advanceAsync(40)
  await closed
  expect(clock.pending).toBe(0)
})

test('a bus that does not answer is waited for a few times, then left alone for a while', async () => {
  const cache = new TieredCache<unknown>({ store: memory, clock, bus: silent, storeTimeout: 100 })
  for (let i = 0; i < 5; i++) await outcome(cache.delete(`${i}`))
  const before = clock.now()
  await cache.delete('k')
  expect(clock.now()).toBe(before)
})

test('what runs when the cache is closed ends first, and leaves nothing behind', async () => {
  const tier = troubled(memory)
  const cache = new TieredCache<unknown>({ store: tier.store, clock, storeTimeout: 100 })
  await cache.set('k', 1)
  tier.trouble = 'late'
  const calls = Promise.allSettled([cache.set('k', 2), cache.delete('other'), cache.get('third')])
  const closed = cache.close()
  await clock.advanceAsync(100)
  await clock.advanceAsync(100)
  await closed
  expect(clock.pending).toBe(0)
  expect(await calls).toMatchObject([
    { reason: { code: 'ERR_MILLRACE_STORE_TIMEOUT' } },
    { reason: { code: 'ERR_MILLRACE_STORE_TIMEOUT' } },
    { status: 'fulfilled' },
  ])
})

test('failed writes, reads and invalidations are counted, refusals are not', async () => {
  const tier = troubled(memory)
  const cache = new TieredCache<unknown>({ store: tier.store, clock, breaker: false })
  await expect(cache.set('k', 1n)).rejects.toThrow()
  expect(cache.stats().storeFailures).toBe(0)
  tier.trouble = 'reject'
  await expect(cache.set('k', 1)).rejects.toThrow()
  await expect(cache.setMany([['k', 1]])).rejects.toThrow()
  await expect(cache.delete('k')).rejects.toThrow()
  await cache.get('k')
  expect(cache.stats().storeFailures).toBe(4)
})

test('a search for a pattern ends, though the store has ever more keys or is slow', async () => {
  const store = new MemoryStore<unknown>({ clock })
  store.keys = async function* () {
    for (let i = 0; ; i++) {
      clock.advance(30)
      yield `k${i}`
    }
  }
  const cache = new TieredCache<unknown>({ store, clock, storeTimeout: 100 })
  await expect(cache.deleteMatching('k*')).rejects.toMatchObject({
    code: 'ERR_MILLRACE_STORE_TIMEOUT',
    timeout: 1_000,
  })
  expect(cache.stats().pending).toBe(1)
  await cache.close()
})

test('what a store never accepts does not hold up the repetition of the rest', async () => {
  const tier = troubled(memory)
  const cache = new TieredCache<unknown>({ store: tier.store, clock, breaker: false })
  await memory.setMany(['a', 'b', 'c', 'd', 'e'].map(key => ({ key, value: 1 })))
  const deleteMany = memory.deleteMany.bind(memory)
  memory.deleteMany = async keys => {
    if (keys.some(key => key < 'd')) throw new Error('a key that it cannot take')
    return deleteMany(keys)
  }
  tier.trouble = 'reject'
  for (const key of ['a', 'b', 'c', 'd', 'e']) {
    await expect(cache.delete(key)).rejects.toThrow('no connection')
  }
  tier.trouble = 'none'
  await clock.advanceAsync(2_000)
  expect(cache.stats().pending).toBe(3)
  expect(await memory.getMany(['d', 'e'])).toEqual([undefined, undefined])
})

test('a write with a bad option or key is refused before anything is invalidated', async () => {
  const cache = new TieredCache<unknown>({ store: memory, clock })
  await cache.set('k', 'kept')
  await expect(cache.set('k', 1, { ttl: -1 })).rejects.toThrow('`ttl`')
  await expect(cache.set('k', 1, { tags: 'org' as never })).rejects.toThrow('`tags`')
  await expect(cache.setMany([['k', 1]], { tll: 5 } as never)).rejects.toThrow('`ttl`')
  await expect(cache.set(7 as never, 1)).rejects.toThrow('`key`')
  await expect(cache.delete(7 as never)).rejects.toThrow('`key`')
  await expect(cache.get(7 as never)).rejects.toThrow('`key`')
  await clock.advanceAsync(5_000)
  expect((await memory.get('k'))?.value).toBe('kept')
  expect(cache.stats()).toMatchObject({ pending: 0, storeFailures: 0, breakerOpened: 0 })
})

test.each<[string, unknown]>([
  ['never', () => new Promise<void>(() => {})],
  ['with a throw', () => fail('release')],
  ['with a rejection', async () => fail('release')],
  ['not at all, as it is none', undefined],
])('a lease that is released %s does not change what was loaded', async (_, release) => {
  const lease = { acquire: async () => ({ release }) } as unknown as LoadLease
  const cache = new TieredCache<number>({ store: new MemoryStore(), lease, clock })
  expect(await cache.getOrLoad('k', () => 1)).toBe(1)
  await expect(cache.getOrLoad('l', () => fail('load'))).rejects.toThrow('load')
})

test.each([
  ['turnClock', turnClock],
  ['a clock of its own', { ...monotonicClock, now: () => 5 }],
])(
  'with %s for the first tier, entries of a store that says no time are fresh as long as they are',
  async (_, own) => {
    const store = new MemoryStore<number>()
    const get = store.get.bind(store)
    store.get = async key => {
      const { at, ...entry } = (await get(key))!
      return entry
    }
    await store.set('fresh', 1, { ttl: 60_000 })
    await store.set('stale', 1, { ttl: 1, retention: 60_000 })
    const end = Date.now() + 2
    while (Date.now() < end);
    const cache = new TieredCache<number>({ store, clock: own })
    expect(await cache.get('fresh')).toBe(1)
    expect(await cache.get('stale')).toBe(undefined)
  },
)

test('a store that fails again and again is left alone, then tried by one call', async () => {
  const tier = troubled(memory)
  const breaker = { failures: 3, cooldown: 500 }
  const cache = new TieredCache<number>({ store: tier.store as Store<number>, clock, breaker })
  await memory.set('stored', 7)
  tier.trouble = 'reject'
  for (let i = 0; i < 3; i++) expect(await cache.getOrLoad(`a${i}`, () => i)).toBe(i)
  await expect(cache.delete('x')).rejects.toMatchObject({
    code: 'ERR_MILLRACE_STORE_SUSPENDED',
    retryAfter: 500,
  })
  tier.trouble = 'none'
  expect(await cache.get('stored')).toBe(undefined)
  expect(cache.stats()).toMatchObject({ breakerOpened: 1, storeFailures: 3, pending: 1 })
  await clock.advanceAsync(1_000)
  expect(await cache.get('stored')).toBe(7)
  expect(cache.stats().pending).toBe(0)
})

test('of a batch of loads, what cannot be stored concerns itself alone', async () => {
  const cache = new TieredCache<unknown>({ store: memory })
  const keys = Array.from({ length: 100 }, (_, i) => `k${i}`)
  const loaded = await cache.getOrLoadMany(keys, missing =>
    missing.map((key, i) => (i === 50 ? 1n : key)),
  )
  expect(loaded.size).toBe(100)
  expect(memory.stats()).toMatchObject({ writes: 99, refused: 1 })
  expect(await cache.setMany([['alone', 1n]])).toEqual([false])
  expect(await cache.setMany([['alone', undefined]])).toEqual([false])
  expect(await cache.setMany(Object.entries({ a: 1, b: 1n, c: 3 }))).toEqual([true, false, true])
  await expect(cache.set('d', 1n)).rejects.toMatchObject({ code: 'ERR_MILLRACE_UNENCODABLE_VALUE' })
})

test('undefined is refused, by whatever codec', async () => {
  const store = new MemoryStore<unknown>({ codec: structuredCodec })
  const [here, there] = [new TieredCache({ store }), new TieredCache({ store })]
  await here.set('k', 1)
  await expect(here.set('k', undefined)).rejects.toThrow('cannot be encoded')
  expect([await here.get('k'), await there.get('k')]).toEqual([1, 1])
  expect(await there.getOrLoad('other', () => 'loaded')).toBe('loaded')
})

test('a closed cache has no timers, and says so', async () => {
  const channel = new MemoryChannel()
  const pressure = memoryPressure({ interval: 5, usage: () => 0 })
  const cache = new TieredCache<unknown>({
    store: memory,
    clock,
    bus: channel.connect(),
    sweepInterval: 10,
    memoryPressure: pressure,
  })
  await cache.set('k', 1)
  await cache.getOrLoad('loaded', () => 1)
  const endless = cache.getOrLoad('endless', () => new Promise<number>(() => {}))
  const endlessBatch = cache.getOrLoadMany(['batch'], () => new Promise<number[]>(() => {}))
  const ends = Promise.allSettled([endless, endlessBatch])
  await Promise.all([cache.close(), cache.close()])
  expect(clock.pending).toBe(0)
  expect(await ends).toMatchObject([
    { reason: { code: 'ERR_MILLRACE_CACHE_CLOSED' } },
    { reason: { name: 'PartialLoadError' } },
  ])
  expect(cache.closed).toBe(true)
  const closed = { code: 'ERR_MILLRACE_CACHE_CLOSED' }
  for (const verb of Object.values(verbs)) await expect(verb(cache)).rejects.toMatchObject(closed)
  await expect(cache.deleteMany([])).rejects.toMatchObject(closed)
  await expect(cache.expireMany([])).rejects.toMatchObject(closed)
  await expect(cache.setMany([])).rejects.toMatchObject(closed)
  await expect(cache.getMany([])).rejects.toMatchObject(closed)
  await expect(cache.peek('k')).rejects.toMatchObject(closed)
  await expect(cache.entries().next()).rejects.toMatchObject(closed)
  await expect(cache.get('k')).rejects.toMatchObject(closed)
  await expect(cache.getMany(['k'])).rejects.toMatchObject(closed)
  await expect(cache.getOrLoad('k', () => 1)).rejects.toMatchObject(closed)
  await expect(cache.getOrLoadMany(['k'], () => [1])).rejects.toMatchObject(closed)
})

test('no call passes its time-out and nothing stale is served, whatever the store does', async () => {
  const step = fc.tuple(
    fc.constantFrom<Trouble>('none', 'none', 'reject', 'hang', 'late', 'slow', 'partial'),
    fc.constantFrom('write', 'delete', 'deleteTag', 'read', 'wait'),
    fc.constantFrom('a', 'b', 'c'),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
      memory = new MemoryStore({ clock })
      const tier = troubled(memory)
      const cache = new TieredCache<unknown>({ store: tier.store, clock, storeTimeout: 100 })
      const source = new Map<string, number>()
      let version = 0
      const read = (key: string) =>
        cache.getOrLoad(key, () => source.get(key) ?? null, { tags: [key] })
      for (const [trouble, verb, key] of steps) {
        tier.trouble = trouble
        if (verb === 'read') expect(await outcome(read(key))).toBe(source.get(key) ?? null)
        else if (verb === 'wait') await clock.advanceAsync(1_500)
        else {
          source.set(key, ++version)
          const call =
            verb === 'write'
              ? cache.set(key, version, { tags: [key] })
              : verb === 'delete'
                ? cache.delete(key)
                : cache.deleteTag(key)
          expect(await outcome(call)).not.toBe('waits')
        }
      }
      tier.trouble = 'none'
      await clock.advanceAsync(5_000)
      for (const key of ['a', 'b', 'c']) {
        expect(await outcome(read(key))).toBe(source.get(key) ?? null)
        const entry = await memory.get(key)
        if (entry !== undefined) expect(entry.value).toBe(source.get(key) ?? null)
      }
      expect(cache.stats().pending).toBe(0)
    }),
    { numRuns: runs(40) },
  )
})

test.each([undefined, null, 'text', 0])('a store may reject with %o', async reason => {
  const troubled = Object.assign(new MemoryStore<unknown>({ clock }), { down: false })
  const { set, setMany, deleteMany } = troubled
  const failing =
    (method: (...args: never[]) => unknown) =>
    (...args: never[]) =>
      troubled.down ? Promise.reject(reason) : method.apply(troubled, args)
  Object.assign(troubled, {
    set: failing(set as never),
    setMany: failing(setMany as never),
    deleteMany: failing(deleteMany as never),
  })
  await using cache = new TieredCache<unknown>({ store: troubled, clock })
  for (const write of [() => cache.set('k', 2), () => cache.setMany([['k', 2]])]) {
    await troubled.set('k', 1)
    troubled.down = true
    await expect(write()).rejects.toBe(reason)
    // It may be there or not: the key is deleted as soon as the store answers.
    expect([await cache.get('k'), cache.stats().pending]).toEqual([undefined, 1])
    troubled.down = false
    await clock.advanceAsync(1_000)
    expect([await troubled.get('k'), cache.stats().pending]).toEqual([undefined, 0])
  }
})

test('a store that answers `null` has nothing, and one that answers something else has failed', async () => {
  const answers: Record<string, unknown> = {}
  const store = Object.assign(new MemoryStore<unknown>({ clock }), {})
  for (const name of ['get', 'getMany', 'lookup', 'set', 'setMany'] as const) {
    const method = store[name].bind(store) as (...args: unknown[]) => unknown
    const answer = async (...args: unknown[]) => (name in answers ? answers[name] : method(...args))
    Object.assign(store, { [name]: answer })
  }
  await using cache = new TieredCache<unknown>({ store, clock, breaker: false })
  Object.assign(answers, { get: null, getMany: [null, null] })
  expect(await cache.get('a')).toBe(undefined)
  expect(await cache.getMany(['a', 'b'])).toEqual(new Map())
  expect(cache.stats().storeFailures).toBe(0)
  for (const odd of [null, undefined, 'text', 5, { entries: 5 }, { entries: [] }]) {
    Object.assign(answers, { getMany: odd, lookup: odd })
    expect(await cache.getMany(['a', 'b'])).toEqual(new Map())
    expect(await cache.getOrLoad(`one of ${typeof odd}`, () => 1)).toBe(1)
    const keys = ['x', 'y'].map(name => `${name} ${typeof odd}`)
    expect((await cache.getOrLoadMany(keys, all => all.map(() => 1))).size).toBe(2)
  }
  expect(cache.stats().storeFailures).toBeGreaterThan(10)
  for (const odd of [null, undefined, 'text', [], 1]) {
    Object.assign(answers, { set: odd, setMany: odd })
    expect(await cache.set('k', 1)).toBe(false)
  }
  for (const odd of [null, undefined, 'text', [], 1]) {
    answers.setMany = odd
    await expect(cache.setMany([['k', 1]])).rejects.toThrow('did not answer for each of the keys')
  }
})

test.each([
  ['of a promise that is rejected', async () => Promise.reject(new Error('late'))],
  ['of a list in a promise', async () => ['a']],
  ['none', () => undefined],
  [
    'no text',
    async function* () {
      yield 5
    },
  ],
  [
    'of steps that are none',
    () => ({ [Symbol.asyncIterator]: () => ({ next: async () => undefined }) }),
  ],
])('a store whose keys are %s fails a search alone, and is counted', async (_, keys) => {
  const rejected: unknown[] = []
  const note = (reason: unknown): void => void rejected.push(reason)
  process.on('unhandledRejection', note)
  const store = Object.assign(new MemoryStore<number>({ clock }), { keys: keys as never })
  await using cache = new TieredCache<number>({ store, clock, breaker: false })
  await cache.set('k', 1)
  await expect(cache.deleteMatching('k*')).rejects.toThrow(TypeError)
  await expect(cache.entries().next()).rejects.toThrow('The store')
  expect(cache.stats().storeFailures).toBe(2)
  // The search is repeated until the store can be searched; until then its keys count as deleted.
  expect([await cache.get('k'), cache.stats().pending]).toEqual([undefined, 1])
  await nextTurn()
  process.off('unhandledRejection', note)
  expect(rejected).toEqual([])
})

test.each([undefined, null, 'text', {}])(
  'a store that says %o of what it had, had nothing',
  async said => {
    const answer = async (): Promise<never> => said as never
    const store = Object.assign(new MemoryStore<number>({ clock }), {
      delete: answer,
      expire: answer,
      deleteMany: answer,
      expireMany: answer,
    })
    await using cache = new TieredCache<number>({ store, clock })
    expect([await cache.delete('k'), await cache.expire('k')]).toEqual([false, false])
    expect([await cache.deleteMany(['k']), await cache.expireMany(['k'])]).toEqual([0, 0])
    for (const layers of [
      { near: store, far: memory },
      { near: memory, far: store },
    ]) {
      await using layered = new LayeredStore<unknown>({ ...layers, clock })
      expect([await layered.deleteMany(['k']), await layered.expireMany(['k'])]).toEqual([0, 0])
      expect([await layered.delete('k'), layered.stats().deletes]).toEqual([false, 0])
    }
  },
)

test('what is no entry in an answer is a miss, counted, and concerns no other', async () => {
  const good = { value: 'good', expires: Infinity, retained: Infinity, version: 0, tags: [] }
  const bad: unknown[] = [
    5,
    'text',
    {},
    { ...good, value: undefined },
    { ...good, value: Promise.resolve('later') },
    { ...good, expires: 'soon' },
    { ...good, tags: undefined },
    { ...good, tags: 't' },
    { ...good, tags: [5] },
  ]
  const keys = ['good', ...bad.map((_, i) => `bad${i}`)]
  const entries = [good, ...bad] as never
  const store = new MemoryStore<string>()
  Object.assign(store, {
    get: async (key: string) => entries[keys.indexOf(key)],
    getMany: async () => entries,
    lookup: async (asked: string[]) => ({
      entries: asked.map(key => entries[keys.indexOf(key)]),
      fence: await store.fence(),
    }),
  })
  await using cache = new TieredCache<string>({ store, breaker: false })
  expect([...(await cache.getMany(keys))]).toEqual([['good', 'good']])
  expect(cache.stats().storeFailures).toBe(bad.length)
  for (const key of keys.slice(1)) {
    expect([key, await cache.peek(key)]).toEqual([key, undefined])
    expect([key, await cache.getOrLoad(key, () => 'loaded')]).toEqual([key, 'loaded'])
  }
})

test('a store may answer at once, without a promise', async () => {
  const store = new MemoryStore<string>()
  Object.assign(store, { set: () => true, delete: () => true })
  await using cache = new TieredCache<string>({ store })
  expect([await cache.set('k', 'v'), await cache.delete('k')]).toEqual([true, true])
})

test.each<[string, Partial<TieredCacheOptions<unknown>>, unknown]>([
  ['weigh', { maxBytes: 100, weigher: value => (value as number[]).length }, 5],
  ['clone', { protect: 'clone' }, { f() {} }],
])('what the first tier cannot %s is stored in none', async (_, options, bad) => {
  await using cache = new TieredCache<unknown>({ store: memory, clock, ...options })
  await cache.set('k', [1])
  await expect(cache.set('k', bad)).rejects.toThrow()
  await expect(cache.getOrLoad('one', () => bad)).rejects.toThrow()
  await expect(cache.getOrLoadMany(['a', 'b'], () => [bad, [2]])).rejects.toMatchObject({
    results: new Map([['b', [2]]]),
  })
  const entries = [
    ['k', bad],
    ['c', [3]],
  ] as const
  expect(await cache.setMany(entries)).toEqual([false, true])
  const stored = await memory.getMany(['k', 'one', 'a', 'b', 'c'])
  expect(stored.map(entry => entry?.value)).toEqual([[1], undefined, undefined, [2], [3]])
  expect(await cache.get('k')).toEqual([1])
})

test('a load may return an error as its value', async () => {
  const failure = new Error('kept')
  await using cache = new TieredCache<unknown>({ store: memory })
  expect(await cache.getOrLoad('k', () => failure)).toBe(failure)
})

test.each([undefined, null, 5, {}, 'keys'])('refuses %o in place of keys or entries', async bad => {
  await using cache = new TieredCache<unknown>({ store: memory, clock })
  const calls = [
    cache.getMany(bad as never),
    cache.setMany(bad as never),
    cache.deleteMany(bad as never),
    cache.expireMany(bad as never),
    cache.getOrLoadMany(bad as never, () => []),
  ]
  for (const call of calls) {
    await expect(call).rejects.toMatchObject({ code: 'ERR_MILLRACE_INVALID_OPTION' })
  }
})

test.each([undefined, null, 5, {}])('refuses %o among keys', async bad => {
  await using cache = new TieredCache<unknown>({ store: memory, clock })
  const keys = ['a', bad as string]
  const calls = [
    cache.getMany(keys),
    cache.deleteMany(keys),
    cache.expireMany(keys),
    cache.getOrLoadMany(keys, () => []),
    cache.setMany(keys.map(key => [key, 1])),
  ]
  for (const call of calls) {
    await expect(call).rejects.toMatchObject({ code: 'ERR_MILLRACE_INVALID_OPTION', option: 'key' })
  }
})

test('a promise that was not awaited is no value', async () => {
  await using cache = new TieredCache<unknown>({ store: memory, clock })
  await memory.set('k', 'old')
  await expect(cache.set('k', Promise.resolve(1))).rejects.toThrow(UnencodableValueError)
  const load = () => loaded<unknown>(Promise.resolve(1), { ttl: 5 })
  await expect(cache.getOrLoad('l', load)).rejects.toThrow(LoadResultError)
  const batch = await cache
    .getOrLoadMany(['m', 'n'], () => [Promise.resolve(1), 2])
    .catch(error => error)
  expect([...batch.results]).toEqual([['n', 2]])
  expect((await memory.get('k'))?.value).toBe('old')
  expect(await memory.getMany(['l', 'm'])).toEqual([undefined, undefined])
})

test('a bus that cannot be left does not keep a cache or a store from being closed', async () => {
  const bus: InvalidationBus = {
    publish: async () => {},
    subscribe: () => () => {
      throw new Error('no connection')
    },
  }
  const cache = new TieredCache<unknown>({ store: memory, bus, clock })
  await cache.set('k', 1)
  await cache.close()
  expect(cache.closed).toBe(true)
  const layered = new LayeredStore({ near: new MemoryStore(), far: memory, bus, clock })
  await layered.close()
  await expect(layered.get('k')).rejects.toMatchObject({ code: 'ERR_MILLRACE_STORE_CLOSED' })
})

test('a bus that subscribes later is refused, and ends no process by its rejection', async () => {
  const rejected: unknown[] = []
  const note = (reason: unknown): void => void rejected.push(reason)
  process.on('unhandledRejection', note)
  const bus = {
    publish: async () => {},
    subscribe: (async () => Promise.reject(new Error('no connection'))) as never,
  }
  const refusal = expect.objectContaining({ code: 'ERR_MILLRACE_INVALID_OPTION', option: 'bus' })
  expect(() => new TieredCache({ store: memory, bus })).toThrow(refusal)
  expect(() => new LayeredStore({ near: new MemoryStore(), far: memory, bus })).toThrow(refusal)
  await nextTurn()
  process.off('unhandledRejection', note)
  expect(rejected).toEqual([])
})
