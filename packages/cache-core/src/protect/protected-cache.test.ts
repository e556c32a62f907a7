import { describe, expect, test } from 'vitest'
import { loaded } from '../load/loaded.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { TieredCache } from '../tiered/tiered-cache.ts'
import { deepFreeze } from './deep-freeze.ts'
import { ProtectedCache } from './protected-cache.ts'

interface User {
  name: string
  roles: string[]
}
const ada = (): User => ({ name: 'Ada', roles: ['admin'] })

/** Every way by which a value leaves a cache. */
const ways: Record<string, (cache: ProtectedCache<string, User>) => User | Promise<User>> = {
  get: cache => cache.get('k')!,
  peek: cache => cache.peek('k')!,
  getOrLoad: cache => cache.getOrLoad('k', ada),
  'getOrLoad of what is missing': cache => cache.getOrLoad('other', async () => ada()),
  'getOrLoad of what says how it is kept': cache =>
    cache.getOrLoad('other', () => loaded(ada(), { ttl: 1_000 })),
  getOrLoadSync: cache => cache.getOrLoadSync('k', ada),
  getOrLoadMany: async cache => (await cache.getOrLoadMany(['k'], () => [])).get('k')!,
  'getOrLoadMany of what is missing': async cache =>
    (await cache.getOrLoadMany(['other'], keys => keys.map(ada))).get('other')!,
  entries: cache => [...cache.entries()][0]![1],
  values: cache => [...cache.values()][0]!,
  iteration: cache => [...cache][0]![1],
}

describe.each(Object.entries(ways))('%s', (_, way) => {
  test('hands out what cannot be changed, with freeze', async () => {
    const cache = new ProtectedCache<string, User>().set('k', ada())
    const user = await way(cache)
    expect(() => user.roles.push('root')).toThrow(TypeError)
    expect(() => {
      user.name = 'Eve'
    }).toThrow(TypeError)
    expect([...cache.values()].every(value => value.roles.length === 1)).toBe(true)
  })

  test('hands out what may be changed without harm, with clone', async () => {
    const own = ada()
    const cache = new ProtectedCache<string, User>({ protect: 'clone' }).set('k', own)
    own.roles.push('root')
    const user = await way(cache)
    user.roles.push('root')
    user.name = 'Eve'
    expect([...cache.values()]).toEqual([...cache].map(() => ada()))
  })
})

test.each(['freeze', 'clone'] as const)('two tiers hand out alike, with %s', async protect => {
  const cache = new TieredCache<User>({ store: new MemoryStore(), protect })
  const users = [
    await cache.getOrLoad('k', async () => ada()),
    await cache.getOrLoad('k', ada),
    (await cache.get('k'))!,
    (await cache.getMany(['k'])).get('k')!,
    (await cache.getOrLoadMany(['k'], () => [])).get('k')!,
  ]
  for (const user of users) {
    if (protect === 'freeze') expect(() => user.roles.push('root')).toThrow(TypeError)
    else user.roles.push('root')
  }
  expect(await cache.get('k')).toEqual(ada())
  const other = new TieredCache<User>({ store: new MemoryStore(), protect })
  await other.set('k', ada())
  expect(await other.get('k')).toEqual(ada())
  expect(() => new TieredCache({ store: new MemoryStore(), protect: 'lock' as never })).toThrow(
    '`protect`',
  )
})

test('what cannot be cloned is refused, bad options are named, and a failure stays one', async () => {
  const cache = new ProtectedCache<string, unknown>({ protect: 'clone' })
  expect(() => cache.set('k', () => 1)).toThrow(/could not be cloned/)
  const error = new Error('down')
  await expect(cache.getOrLoad('k', () => Promise.reject(error))).rejects.toBe(error)
  await expect(cache.getOrLoadMany(['k'], () => [error])).rejects.toMatchObject({ cause: error })
  expect(() => new ProtectedCache({ protect: 'frozen' as never })).toThrow('`protect`')
  expect(() => new ProtectedCache({ portect: 'clone' } as never)).toThrow('`portect`')
})

test('deepFreeze reaches circles, maps, sets and dates, and calls no getter', () => {
  const inner = { n: 1 }
  const value = {
    map: new Map([['k', inner]]),
    set: new Set([{ m: 1 }]),
    at: new Date(0),
    bytes: new Uint8Array(2),
    self: undefined as unknown,
    get lazy(): never {
      throw new Error('called')
    },
  }
  value.self = value
  expect(deepFreeze(value)).toBe(value)
  expect(() => value.map.set('x', inner)).toThrow('Cannot change a value that a cache')
  expect(() => value.set.clear()).toThrow(TypeError)
  expect(() => value.at.setTime(5)).toThrow(TypeError)
  expect(() => {
    inner.n = 2
  }).toThrow(TypeError)
  value.bytes[0] = 1
  expect(value.map.get('k')).toBe(inner)
  for (const plain of [null, undefined, 1, 'x']) expect(deepFreeze(plain)).toBe(plain)
})
