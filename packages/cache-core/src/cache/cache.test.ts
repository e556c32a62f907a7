import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { VirtualClock } from '@millrace/testkit'
import { describe, expect, test } from 'vitest'
import type { RemovalReason } from '../kernel/entry.ts'
import { lru, policies } from '../policy/policies.ts'
import { memoryPressure } from '../size/memory-pressure.ts'
import { dump } from '../snapshot/dump.ts'
import { load } from '../snapshot/load.ts'
import { turnClock } from '../time/turn-clock.ts'
import { Cache } from './cache.ts'
import { presets } from './presets.ts'

const byName = Object.entries(policies)

test('any value is a key, compared as a Map compares', () => {
  const object = {}
  const symbol = Symbol('own')
  const keys = [
    0,
    -0,
    Number.NaN,
    '',
    'NaN',
    1n,
    true,
    null,
    undefined,
    object,
    symbol,
    Symbol.for('shared'),
    () => 1,
  ]
  for (const policy of Object.values(policies)) {
    const cache = new Cache<unknown, number>({ policy })
    const map = new Map<unknown, number>()
    keys.forEach((key, value) => {
      cache.set(key, value)
      map.set(key, value)
    })
    expect(new Map(cache)).toEqual(map)
    for (const key of keys) expect(cache.get(key)).toBe(map.get(key))
  }
})

test('without options it holds 256 entries', () => {
  const cache = new Cache<number, number>()
  for (let key = 0; key < 1_000; key++) cache.set(key, key)
  expect(cache.size).toBe(256)
  expect(presets.small).toEqual({ maxEntries: 256 })
})

describe('expiry', () => {
  test('an expired value is not served after the event loop was blocked', () => {
    const cache = new Cache<string, number>({ ttl: 5 })
    cache.set('a', 1)
    const end = performance.now() + 20
    while (performance.now() < end) {}
    expect(cache.get('a')).toBeUndefined()
    expect(cache.stats().removals.expired).toBe(1)
  })

  test('the clock is read only for entries that expire', () => {
    let reads = 0
    const clock = { now: () => ++reads, setTimer: () => ({ cancel() {} }) }
    const cache = new Cache<string, number>({ clock })
    cache.set('forever', 1)
    for (let i = 0; i < 10; i++) cache.get('forever')
    expect(reads).toBe(0)
    cache.set('brief', 1, { ttl: 100 })
    expect(cache.get('forever')).toBe(1)
    expect(reads).toBe(1)
    expect(cache.get('brief')).toBe(1)
    expect(reads).toBe(2)
  })

  test('an entry that expires before all others does so, whatever was written before and after it', () => {
    for (const brief of [0, 1, 2]) {
      const clock = new VirtualClock()
      const cache = new Cache<number, number>({ clock, ttl: 100 })
      for (let key = 0; key < 3; key++) {
        cache.set(key, key, key === brief ? { ttl: 10 } : undefined)
      }
      clock.advance(9)
      for (let key = 0; key < 3; key++) expect(cache.get(key)).toBe(key)
      clock.advance(1)
      for (let key = 0; key < 3; key++) expect(cache.get(key) === undefined).toBe(key === brief)
      cache.set(brief, 7, { ttl: 20 })
      clock.advance(20)
      for (let key = 0; key < 3; key++) expect(cache.get(key) === undefined).toBe(key === brief)
      clock.advance(70)
      for (let key = 0; key < 3; key++) expect(cache.get(key)).toBeUndefined()
    }
  })

  test('an entry expires that was set after a cache was cleared, replaced one of a longer life, or was made stale', () => {
    const clock = new VirtualClock()
    const cache = new Cache<string, number>({ clock, ttl: 100 })
    cache.set('a', 1).clear()
    cache.set('a', 1).set('b', 1)
    expect(cache.get('a')).toBe(1)
    cache.set('a', 2, { ttl: 5 })
    clock.advance(5)
    expect(cache.get('a')).toBeUndefined()
    cache.expire('b')
    expect(cache.get('b')).toBeUndefined()
  })

  test('the turn clock stands still within a run of synchronous code and no longer', async () => {
    const cache = new Cache<string, number>({ ttl: 5, clock: turnClock })
    cache.set('a', 1)
    const end = performance.now() + 20
    while (performance.now() < end) {}
    expect(cache.get('a')).toBe(1)
    await null
    expect(cache.get('a')).toBeUndefined()
  })

  test('no entry has a timer of its own', () => {
    const clock = new VirtualClock()
    const cache = new Cache<number, number>({ clock, ttl: 10, idleTtl: 5, ttlJitter: 0.5 })
    for (let key = 0; key < 100; key++) cache.set(key, key, { ttl: 1 + key })
    expect(clock.pending).toBe(0)
    for (let key = 0; key < 100; key++) cache.get(key)
    expect(clock.pending).toBe(0)
  })

  test('an entry set again without a ttl no longer expires', () => {
    const clock = new VirtualClock()
    const cache = new Cache<string, number>({ clock })
    cache.set('a', 1, { ttl: 10 }).set('a', 2)
    clock.advance(100)
    expect(cache.get('a')).toBe(2)
  })

  test('an idle entry expires, a read one lives on to its ttl', () => {
    const clock = new VirtualClock()
    const cache = new Cache<string, number>({ clock, idleTtl: 10, ttl: 25 })
    cache.set('read', 1).set('idle', 2)
    for (let i = 0; i < 3; i++) {
      clock.advance(8)
      expect(cache.get('read')).toBe(1)
    }
    expect(cache.has('idle')).toBe(false)
    clock.advance(1)
    expect(cache.get('read')).toBeUndefined()
  })

  test('jitter ends lives early, never late, and spreads them', () => {
    const clock = new VirtualClock()
    const cache = new Cache<number, number>({ clock, ttl: 1_000, ttlJitter: 0.5 })
    for (let key = 0; key < 200; key++) cache.set(key, key)
    clock.advance(500)
    expect(cache.purge()).toBe(0)
    clock.advance(250)
    const half = cache.purge()
    expect(half).toBeGreaterThan(60)
    expect(half).toBeLessThan(140)
    clock.advance(250)
    cache.purge()
    expect(cache.size).toBe(0)
  })

  test('what was made stale is swept when its ttl and the stale windows are over', () => {
    const clock = new VirtualClock()
    const cache = new Cache<string, number>({ clock, ttl: 10, staleIfError: 5 })
    cache.set('a', 1).set('tagged', 2, { tags: ['t'] })
    cache.expire('a')
    cache.expireTag('t')
    clock.advance(14)
    expect(cache.purge()).toBe(0)
    clock.advance(1)
    expect(cache.purge()).toBe(2)
  })

  test('the sweep removes expired entries until the cache is disposed of', () => {
    const clock = new VirtualClock()
    const cache = new Cache<string, number>({ clock, ttl: 10, sweepInterval: 100 })
    cache.set('a', 1)
    clock.advance(100)
    expect(cache.size).toBe(0)
    cache[Symbol.dispose]()
    cache.set('b', 1)
    clock.advance(1_000)
    expect(cache.size).toBe(1)
    expect(clock.pending).toBe(0)
  })

  test('a sweep does not keep a forgotten cache alive', async () => {
    let timers: (() => void)[] = []
    const clock = {
      now: () => 0,
      setTimer: (callback: () => void) => {
        timers.push(callback)
        return { cancel() {} }
      },
    }
    const create = (): WeakRef<object> =>
      new WeakRef(
        new Cache<string, object>({ clock, sweepInterval: 10, memoryPressure: memoryPressure() }),
      )
    const reference = create()
    for (let pass = 0; pass < 100 && reference.deref(); pass++) {
      // A reference that was just made or read is kept for the rest of its turn.
      await nextTurn()
      globalThis.gc!()
    }
    expect(reference.deref()).toBeUndefined()
    for (const timer of timers.splice(0)) timer()
    timers = timers.filter(Boolean)
    expect(timers).toHaveLength(0)
  })
})

test.each(byName)('a hit under %s allocates nothing', (_name, policy) => {
  const cache = new Cache<string, object>({ policy, maxEntries: 1_000 })
  const keys = Array.from({ length: 1_000 }, (_, n) => `key ${n}`)
  for (const key of keys) cache.set(key, {})
  const read = (times: number): number => {
    let hits = 0
    for (let n = 0; n < times * keys.length; n++) {
      // An iterator would allocate.
      if (cache.get(keys[n % keys.length]!) !== undefined) hits++
    }
    return hits
  }
  const allocatedByHit = (): number => {
    globalThis.gc!()
    const before = process.memoryUsage().heapUsed
    const hits = read(100)
    const allocated = process.memoryUsage().heapUsed - before
    expect(hits).toBe(100_000)
    return allocated / hits
  }
  read(500)
  // No object is of less than 8 bytes; what is measured here besides does not grow with the reads.
  const none = 4
  let allocated = allocatedByHit()
  // Code that is not compiled yet boxes numbers, and the thread that compiles it may have had no processor so far.
  for (let again = 0; again < 100 && allocated >= none; again++) allocated = allocatedByHit()
  expect(allocated).toBeLessThan(none)
})

describe('removals', () => {
  test('each is told with its reason, when the cache is consistent again', () => {
    const clock = new VirtualClock()
    const told: [string, number, RemovalReason, number][] = []
    const cache: Cache<string, number> = new Cache({
      clock,
      maxEntries: 2,
      policy: lru,
      onRemove: (key, value, reason) => told.push([key, value, reason, cache.size]),
    })
    cache.set('a', 1).set('b', 2).set('c', 3)
    cache.set('c', 4)
    cache.delete('b')
    cache.set('d', 5, { ttl: 1 })
    clock.advance(1)
    cache.get('d')
    cache.set('e', 6).resize({ maxEntries: 1 })
    cache.clear()
    expect(told).toEqual([
      ['a', 1, 'evicted', 2],
      ['c', 3, 'replaced', 2],
      ['b', 2, 'deleted', 1],
      ['d', 5, 'expired', 1],
      ['c', 4, 'resized', 1],
      ['e', 6, 'cleared', 0],
    ])
  })

  test('a value whose tag or pattern was dropped is told as invalidated', () => {
    const told: [string, RemovalReason][] = []
    const cache = new Cache<string, number>({
      onRemove: (key, _, reason) => told.push([key, reason]),
    })
    const tags = ['t']
    cache.set('read', 1, { tags }).set('deleted', 2, { tags }).set('matched', 3, { tags })
    cache.set('a:1', 4)
    cache.deleteTag('t')
    cache.get('read')
    expect(cache.delete('deleted')).toBe(false)
    expect(cache.deleteMatching('matched')).toBe(0)
    cache.deleteMatching('a:*')
    expect(told).toEqual([
      ['read', 'invalidated'],
      ['deleted', 'invalidated'],
      ['matched', 'invalidated'],
      ['a:1', 'invalidated'],
    ])
    expect(cache.stats().removals).toMatchObject({ invalidated: 4, deleted: 0, expired: 0 })
  })

  test('the listener may use the cache', () => {
    const cache: Cache<number, number> = new Cache({
      maxEntries: 4,
      onRemove: (key, value) => {
        if (key < 100) cache.set(key + 100, value)
      },
    })
    for (let key = 0; key < 50; key++) cache.set(key, key)
    expect(cache.size).toBe(4)
    for (const [key, value] of cache) expect(key % 100).toBe(value)
  })
})

test('evictions are published to those who listen', () => {
  const messages: unknown[] = []
  const listen = (message: unknown, name: string | symbol): void => {
    messages.push([name, { ...(message as object) }])
  }
  const cache = new Cache<string, number>({ maxEntries: 1 })
  subscribe('millrace:cache:evict:start', listen)
  subscribe('millrace:cache:evict:end', listen)
  try {
    cache.set('a', 1).set('b', 2)
    cache.delete('b')
  } finally {
    unsubscribe('millrace:cache:evict:start', listen)
    unsubscribe('millrace:cache:evict:end', listen)
  }
  cache.set('c', 3).set('d', 4)
  expect(messages).toEqual([
    ['millrace:cache:evict:start', { key: 'a', reason: 'evicted' }],
    ['millrace:cache:evict:end', { key: 'a', reason: 'evicted' }],
  ])
})

test.each([
  ['integers', (n: number) => n],
  ['strings', (n: number) => `key ${n}`],
])('iteration over %s survives deletion and insertion meanwhile', (_, keyOf) => {
  const cache = new Cache<number | string, number>({ maxEntries: 10 })
  for (let n = 0; n < 10; n++) cache.set(keyOf(n), n)
  const seen: number[] = []
  for (const [key, n] of cache) {
    seen.push(n)
    cache.delete(key)
    // Who leaves before its turn is not seen; who comes may be.
    cache.delete(keyOf((n + 5) % 10))
    if (n < 10) cache.set(keyOf(n + 100), n + 100)
  }
  const early = seen.filter(n => n < 10)
  expect(early.map(n => n % 5).sort()).toEqual([0, 1, 2, 3, 4])
  expect(new Set(seen).size).toBe(seen.length)
})

test('switched off it stores nothing', async () => {
  const cache = new Cache<string, number>({ enabled: false })
  cache.set('a', 1)
  expect(cache.get('a')).toBeUndefined()
  expect(await cache.getOrLoad('a', () => 2)).toBe(2)
  expect(load(cache, dump(new Cache<string, number>().set('b', 1)))).toBe(0)
  expect(cache.size).toBe(0)
})

test('counters are exact and can be reset', () => {
  const cache = new Cache<string, number>({ maxEntries: 2 })
  cache.set('a', 1)
  cache.get('a')
  cache.get('a')
  cache.get('b')
  cache.peek('a')
  cache.has('b')
  expect(cache.stats()).toMatchObject({
    hits: 2,
    misses: 1,
    hitRate: 2 / 3,
    entries: 1,
    insertions: 1,
  })
  cache.resetStats()
  expect(cache.stats()).toMatchObject({ hits: 0, misses: 0, hitRate: 0, entries: 1, insertions: 0 })
})

describe('resize', () => {
  test.each(byName)('%s shrinks at once, grows as entries come', (_name, policy) => {
    const cache = new Cache<number, number>({ policy, maxEntries: 100 })
    for (let key = 0; key < 300; key++) cache.set(key, key)
    cache.resize({ maxEntries: 10 })
    expect(cache.size).toBe(10)
    for (let key = 0; key < 50; key++) cache.set(key, key)
    expect(cache.size).toBe(10)
    cache.resize({ maxEntries: 1_000 })
    for (let key = 0; key < 1_000; key++) cache.set(key, key)
    expect(cache.size).toBe(1_000)
  })
})
