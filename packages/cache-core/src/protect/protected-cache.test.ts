import { describe, expect, test } from 'vitest'
import { PartialLoadError } from '../errors.ts'
import { loaded } from '../load/loaded.ts'
import { dump } from '../snapshot/dump.ts'
import { load } from '../snapshot/load.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { TieredCache } from '../tiered/tiered-cache.ts'
import { deepFreeze } from './deep-freeze.ts'
import { ProtectedCache } from './protected-cache.ts'
import type { Protection } from './protection.ts'

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

/** Every function of a user that gets a value while it is in a cache, or may still be needed. */
const functions: Record<
  string,
  (protect: Protection, change: (user: User | undefined) => void) => Promise<User | undefined>
> = {
  'a loader, whose stale value then serves': async (protect, change) => {
    const cache = new ProtectedCache<string, User>({ protect, staleIfError: 3_600_000 })
    cache.set('k', ada()).expire('k')
    return cache.getOrLoad('k', async context => {
      change(context.stale)
      throw new Error('down')
    })
  },
  'a synchronous loader': async (protect, change) => {
    const cache = new ProtectedCache<string, User>({ protect, staleIfError: 3_600_000 })
    cache.set('k', ada()).expire('k')
    return cache.getOrLoadSync('k', (context): User => {
      change(context.stale)
      throw new Error('down')
    })
  },
  'a batch loader': async (protect, change) => {
    const cache = new ProtectedCache<string, User>({ protect, staleIfError: 3_600_000 })
    cache.set('k', ada()).expire('k')
    const found = await cache.getOrLoadMany(['k'], async (_, context) => {
      change(context.stale('k'))
      throw new Error('down')
    })
    return found.get('k')
  },
  'who gets a fallback': async (protect, change) => {
    const cache = new ProtectedCache<string, User>({ protect, staleIfError: 3_600_000 })
    cache.set('k', ada()).expire('k')
    const fails = async (): Promise<User> => {
      throw new Error('down')
    }
    change(await cache.getOrLoad('k', fails))
    return cache.getOrLoad('k', fails)
  },
  'who reads the results of a load that failed in part': async (protect, change) => {
    const cache = new ProtectedCache<string, User>({ protect }).set('k', ada())
    const call = cache.getOrLoadMany(['k', 'other'], () => [new Error('down')])
    const error = await call.catch((reason: PartialLoadError) => reason)
    expect(error).toBeInstanceOf(PartialLoadError)
    const { results, errors } = error as PartialLoadError
    expect([...errors.keys()]).toEqual(['other'])
    change(results.get('k') as User)
    return cache.get('k')
  },
  'a weigher': async (protect, change) => {
    const weigher = (user: User): number => {
      if (!Object.isFrozen(user)) change(user)
      return 1
    }
    const cache = new ProtectedCache<string, User>({ protect, maxBytes: 9, weigher })
    return cache.set('k', ada()).get('k')
  },
  'a listener, told of a value that a load still has': async (protect, change) => {
    const onRemove = (_: string, user: User): void => {
      if (!Object.isFrozen(user)) change(user)
    }
    const cache = new ProtectedCache<string, User>({
      protect,
      onRemove,
      maxEntries: 1,
      staleIfError: 3_600_000,
    })
    cache.set('k', ada()).expire('k')
    return cache.getOrLoad('k', async () => {
      cache.set('other', ada())
      throw new Error('down')
    })
  },
  'a loader of two tiers': async (protect, change) => {
    const store = new MemoryStore<User>()
    await store.set('k', ada(), { retention: 3_600_000 })
    await store.expire('k')
    // What it holds is what it returns each time, as that of a store which keeps objects.
    const held = (await store.lookup(['k'])).entries
    store.lookup = async () => ({ entries: held, fence: await store.fence() })
    store.getMany = async () => [...held]
    await using cache = new TieredCache<User>({ store, protect, staleIfError: 3_600_000 })
    return await cache.getOrLoad('k', async context => {
      change(context.stale)
      throw new Error('down')
    })
  },
  'who makes or loads a snapshot': async (protect, change) => {
    const cache = new ProtectedCache<string, User>({ protect }).set('k', ada())
    const snapshot = dump(cache)
    change(snapshot.entries[0]!.value)
    const own = { ...snapshot.entries[0]!, value: ada() }
    const next = new ProtectedCache<string, User>({ protect })
    load(next, { ...snapshot, entries: [own] })
    change(own.value)
    expect(next.get('k')).toEqual(ada())
    return cache.get('k')
  },
}

describe.each(Object.entries(functions))('%s', (_, play) => {
  test.each(['freeze', 'clone'] as const)(
    'changes nothing that others get, with %s',
    async protect => {
      let changed = 0
      const user = await play(protect, given => {
        if (protect === 'freeze') expect(() => given!.roles.push('root')).toThrow(TypeError)
        else given!.roles.push('root')
        changed++
      })
      expect(user).toEqual(ada())
      if (protect === 'clone') expect(changed).toBeGreaterThan(0)
    },
  )
})

test('a loader that keeps its stale value by returning it keeps what it made of that', async () => {
  const cache = new ProtectedCache<string, User>({ protect: 'clone', staleIfError: 3_600_000 })
  cache.set('k', ada()).expire('k')
  const user = await cache.getOrLoad('k', ({ stale, key, background, signal }) => {
    expect([key, background, signal.aborted]).toEqual(['k', false, false])
    stale!.name = 'Grace'
    return stale!
  })
  expect([user.name, cache.get('k')!.name]).toEqual(['Grace', 'Grace'])
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

test('deepFreeze reaches into what its owner froze, and leaves methods where they cannot be taken', () => {
  const inner = { n: 1 }
  const map = Object.freeze(new Map([['k', inner]]))
  expect(deepFreeze(Object.freeze({ a: Object.freeze([inner]), map })).map).toBe(map)
  expect(Object.isFrozen(inner)).toBe(true)
})

test('deepFreeze leaves a proxy that refuses as it is', () => {
  const target = { a: { n: 1 } }
  const proxy = new Proxy(target, { preventExtensions: () => false })
  expect(deepFreeze({ proxy }).proxy).toBe(proxy)
  expect([Object.isFrozen(proxy), Object.isFrozen(target.a)]).toEqual([false, true])
})
