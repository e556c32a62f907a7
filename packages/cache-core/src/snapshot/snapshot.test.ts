import { deserialize, serialize } from 'node:v8'
import { VirtualClock } from '@millrace/testkit'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { Cache } from '../cache/cache.ts'
import { SnapshotError } from '../errors.ts'
import { policies } from '../policy/policies.ts'
import { seededMath } from '../policy/seeded-math.fixture.ts'
import type { CacheSnapshot } from './cache-snapshot.ts'
import { dump } from './dump.ts'
import { load } from './load.ts'

/** Reads skewed keys and sets what misses; the hit rate. */
function replay(cache: Cache<number, number>, reads: number, seed = 1): number {
  let state = seed
  let hits = 0
  for (let i = 0; i < reads; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const key = Math.floor(2_000 * (state / 2 ** 32) ** 3)
    if (cache.get(key) === undefined) cache.set(key, key)
    else hits++
  }
  return hits / reads
}

describe.each(Object.entries(policies))('%s', (_name, policy) => {
  test('a restored cache holds the same and evicts as the first would', () => {
    using _ = seededMath()
    const first = new Cache<number, number>({ policy, maxEntries: 200 })
    replay(first, 20_000)
    const second = new Cache<number, number>({ policy, maxEntries: 200 })
    const snapshot = deserialize(serialize(dump(first))) as CacheSnapshot<number, number>
    expect(load(second, snapshot)).toBe(first.size)
    const byKey = (a: [number, number], b: [number, number]): number => a[0] - b[0]
    expect([...second].sort(byKey)).toEqual([...first].sort(byKey))
    expect(dump(second).entries.map(({ key }) => key)).toEqual(
      snapshot.entries.map(({ key }) => key),
    )
    expect(Math.abs(replay(second, 20_000, 7) - replay(first, 20_000, 7))).toBeLessThan(0.02)
  })

  test('a smaller cache takes what is worth most', () => {
    const first = new Cache<number, number>({ policy, maxEntries: 200 })
    replay(first, 20_000)
    const second = new Cache<number, number>({ policy, maxEntries: 50 })
    load(second, dump(first))
    expect(second.size).toBe(50)
  })
})

test('JSON keeps a snapshot where it keeps keys and values', () => {
  const first = new Cache<string, number | undefined>({ maxEntries: 10 })
  first.set('a', 1).set('b', 2, { ttl: 60_000 }).set('c', undefined)
  const second = new Cache<string, number | undefined>({ maxEntries: 10 })
  const { state: _, ...snapshot } = JSON.parse(JSON.stringify(dump(first))) as CacheSnapshot<
    string,
    number | undefined
  >
  expect(load(second, snapshot)).toBe(3)
  expect([...second]).toEqual([...first])
})

test('lives go on from where they were, less the time between', () => {
  vi.useFakeTimers({ toFake: ['Date'], now: 1_000_000 })
  try {
    const first = new Cache<string, number>({ clock: new VirtualClock(5) })
    first.set('short', 1, { ttl: 100 }).set('long', 2, { ttl: 1_000 }).set('ever', 3)
    const snapshot = dump(first)
    vi.setSystemTime(1_000_400)
    const clock = new VirtualClock(90_000)
    const second = new Cache<string, number>({ clock })
    expect(load(second, snapshot)).toBe(2)
    clock.advance(599)
    expect(second.get('long')).toBe(2)
    clock.advance(1)
    expect(second.get('long')).toBeUndefined()
    expect(second.get('ever')).toBe(3)
  } finally {
    vi.useRealTimers()
  }
})

test('a stale copy is as old as it was, and serves no longer', async () => {
  // A snapshot ages by the wall clock.
  vi.useFakeTimers({ toFake: ['Date'], now: 1_000_000 })
  onTestFinished(() => void vi.useRealTimers())
  const clock = new VirtualClock()
  const options = { clock, ttl: 10, staleWhileRevalidate: 50, staleIfError: 500, errorBackoff: 0 }
  const first = new Cache<string, number>(options)
  first.set('timed', 1).set('tagged', 2, { ttl: 1_000, tags: ['t'] })
  first.expireTag('t')
  clock.advance(40)
  const second = new Cache<string, number>(options)
  load(second, dump(first))
  const fails = (): never => {
    throw new Error('source is down')
  }
  expect(second.get('timed')).toBeUndefined()
  expect(await second.getOrLoad('timed', fails)).toBe(1)
  expect(await second.getOrLoad('tagged', fails)).toBe(2)
  clock.advance(30)
  await expect(second.getOrLoad('timed', fails, { staleIfError: 0 })).rejects.toThrow(
    'source is down',
  )
})

test('tags come along and work', () => {
  const first = new Cache<string, number>()
  first
    .set('a', 1, { tags: ['x'] })
    .set('b', 2, { tags: ['y'] })
    .set('gone', 3, { tags: ['z'] })
  first.deleteTag('z')
  const second = new Cache<string, number>()
  expect(load(second, dump(first))).toBe(2)
  second.deleteTag('x')
  expect([...second]).toEqual([['b', 2]])
})

test('what is there already stays', () => {
  const first = new Cache<string, number>().set('a', 1).set('b', 1)
  const second = new Cache<string, number>().set('a', 2)
  expect(load(second, dump(first))).toBe(1)
  expect(second.get('a')).toBe(2)
})

test.each([
  [null, 'it is not a snapshot of a cache'],
  [{}, 'it is not a snapshot of a cache'],
  [{ format: 'millrace-cache', version: 2 }, 'it has another version than 1'],
  [{ format: 'millrace-cache', version: 1 }, 'its header is damaged'],
  [
    { format: 'millrace-cache', version: 1, savedAt: 1, seed: 1, policy: 'lru' },
    'it has no list of entries',
  ],
  [
    {
      format: 'millrace-cache',
      version: 1,
      savedAt: 1,
      seed: 1,
      policy: 'adaptive',
      entries: [{ key: 1, value: 1, mark: 0 }, { key: 2 }],
    },
    'entry 1 is damaged',
  ],
  [
    {
      format: 'millrace-cache',
      version: 1,
      savedAt: 1,
      seed: 1,
      policy: 'adaptive',
      entries: [
        { key: 1, value: 1, mark: 0 },
        { key: 2, value: 1, mark: 0 },
        { key: 1, value: 2, mark: 0 },
      ],
    },
    'entry 2 has the key of another one',
  ],
  [
    {
      format: 'millrace-cache',
      version: 1,
      savedAt: 1,
      seed: 1,
      policy: 'adaptive',
      entries: [],
      state: { window: 3, words: [], increments: 0 },
    },
    'the state of the policy is damaged',
  ],
])('a damaged snapshot is refused whole: %o', (snapshot, problem) => {
  const cache = new Cache<number, number>()
  const attempt = (): unknown => load(cache, snapshot as unknown as CacheSnapshot<number, number>)
  expect(attempt).toThrow(SnapshotError)
  expect(attempt).toThrow(problem)
  expect(cache.size).toBe(0)
})

test.each(Object.entries(policies))(
  'a snapshot survives JSON, with all that %s learned',
  (_, policy) => {
    const cache = new Cache<number, number>({ policy, maxEntries: 500 })
    replay(cache, 20_000)
    const restored = new Cache<number, number>({ policy, maxEntries: 500 })
    expect(load(restored, JSON.parse(JSON.stringify(dump(cache))))).toBe(cache.size)
    expect(Math.abs(replay(restored, 20_000, 7) - replay(cache, 20_000, 7))).toBeLessThan(0.02)
    const plain = dump(restored)
    expect(JSON.parse(JSON.stringify(plain))).toEqual(plain)
  },
)

test('what may be served stale without limit still may after a restart, also by JSON', () => {
  const clock = new VirtualClock()
  const cache = new Cache<string, number>({ clock, staleIfError: Infinity })
  cache.set('timed', 1, { ttl: 10 }).set('tagged', 2, { tags: ['t'] })
  cache.expireTag('t')
  clock.advance(10)
  const next = new Cache<string, number>({ clock, staleIfError: Infinity })
  load(next, JSON.parse(JSON.stringify(dump(cache))))
  for (const key of ['timed', 'tagged']) expect(next.explain(key)).toMatchObject({ state: 'stale' })
})

describe('each place of a snapshot', () => {
  type Path = readonly (string | number)[]
  const DAMAGES = [null, '', -1, 1e99, Number.NaN, 0.5, [], {}, [null], { length: 1e9 }, undefined]

  /** Paths to everything that a snapshot holds, itself included; of long lists the first and the last place. */
  function pathsOf(value: unknown, path: Path = []): Path[] {
    if (typeof value !== 'object' || value === null) return [path]
    const keys = Array.isArray(value)
      ? [...new Set([0, value.length - 1])].filter(index => index >= 0)
      : Object.keys(value)
    const held = value as Record<string | number, unknown>
    return [path, ...keys.flatMap(key => pathsOf(held[key], [...path, key]))]
  }

  function damaged(snapshot: unknown, path: Path, damage: unknown): unknown {
    const [key, ...rest] = path
    if (key === undefined) return damage
    const copy = (Array.isArray(snapshot) ? [...snapshot] : { ...(snapshot as object) }) as Record<
      string | number,
      unknown
    >
    copy[key] = damaged(copy[key], rest, damage)
    return copy
  }

  /** What cannot be told from a good one: keys, values, times and weights that may be so, and what may be left out. */
  function mayBe(path: Path, damage: unknown): boolean {
    const name = path.at(-1)
    if (path.length >= 3 && path[0] === 'entries' && (path[2] === 'key' || path[2] === 'value')) {
      return true
    }
    if (damage === undefined) {
      return ['state', 'keptFor', 'weight', 'tags'].includes(`${name}`)
    }
    switch (name) {
      case 'entries':
      case 'tags':
        return Array.isArray(damage) && damage.length === 0
      case 'freshFor':
      case 'keptFor':
        return Number.isFinite(damage)
      case 'weight':
        return damage === 1e99 || damage === 0.5
      case 'seed':
        return damage === -1
      case 'savedAt':
      case 'window':
        return damage === 0.5
    }
    return path.at(-2) === 'tags' && damage === ''
  }

  test.each(Object.entries(policies))(
    'damaged in each way is a SnapshotError, and nothing has changed, with %s',
    (_, policy) => {
      const options = {
        policy,
        maxBytes: 200,
        weigher: () => 1,
        // Longer than a busy machine takes for all of it.
        staleIfError: 1_000_000,
      }
      const first = new Cache<string, object>(options)
      for (let i = 0; i < 300; i++) {
        first.set(`k${i}`, { a: [i] }, { ttl: 1_000_000 + i, tags: ['t', `t${i}`] })
      }
      first.expire('k299')
      const good = JSON.parse(JSON.stringify(dump(first))) as CacheSnapshot<string, object>
      const { entries } = good
      const snapshot = { ...good, entries: [entries[0]!, ...entries.slice(-2)] }
      for (const path of pathsOf(snapshot)) {
        for (const damage of DAMAGES) {
          const bad = damaged(snapshot, path, damage) as CacheSnapshot<string, object>
          const cache = new Cache<string, object>(options)
          const what = `${path.join('.')} = ${JSON.stringify(damage)}`
          if (mayBe(path, damage)) {
            load(cache, bad)
            cache.set('works', {})
            expect(cache.get('works'), what).toEqual({})
            continue
          }
          expect(() => load(cache, bad), what).toThrow(SnapshotError)
          expect([cache.size, dump(cache).entries], what).toEqual([0, []])
        }
      }
      expect(load(new Cache(options), snapshot)).toBeGreaterThan(0)
    },
  )

  test('is looked at, holes of lists too', () => {
    const snapshot = dump(new Cache<string, number>().set('a', 1, { tags: ['t'] }))
    const cache = new Cache<string, number>()
    // biome-ignore lint/suspicious/noSparseArray: what v8.deserialize makes of one
    const holes = [, snapshot.entries[0]] as never
    expect(() => load(cache, { ...snapshot, entries: holes })).toThrow('entry 0 is damaged')
    const { value, ...rest } = snapshot.entries[0]!
    for (const entry of [
      { ...rest, value, tags: new Array(2) },
      { ...rest, valve: value },
    ]) {
      const entries = [entry] as never
      expect(() => load(cache, { ...snapshot, entries })).toThrow('entry 0 is damaged')
    }
  })
})
