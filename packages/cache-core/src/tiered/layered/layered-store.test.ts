import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runs, VirtualClock } from '@millrace/testkit'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Store } from '../../store/contract/store.ts'
import { storeContract } from '../../store/contract/suite/store-contract.ts'
import { MemoryStore } from '../../store/memory/memory-store.ts'
import { SqliteStore } from '../../store/sqlite/sqlite-store.ts'
import { MemoryChannel } from '../bus/memory-bus.ts'
import { TieredCache } from '../tiered-cache.ts'
import { LayeredStore } from './layered-store.ts'

storeContract('LayeredStore', {
  runner: { describe, test },
  modelRuns: runs(30),
  open: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-layers-'))
    const clock = new VirtualClock(1_000_000)
    const near = new SqliteStore({ path: join(folder, 'near.db'), clock })
    const far = new MemoryStore({ clock })
    return {
      store: new LayeredStore({ near, far, clock }),
      advance: ms => clock.advance(ms),
      remove: async () => {
        await near.close()
        await rm(folder, { recursive: true })
      },
    }
  },
})

/** A store that can be made to fail or to hang. */
function fragile(store: Store<string>): {
  store: Store<string>
  trouble: 'none' | 'reject' | 'hang'
} {
  const state = { store, trouble: 'none' as 'none' | 'reject' | 'hang' }
  state.store = new Proxy(store, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name, target)
      if (typeof method !== 'function') return method
      return (...args: unknown[]) => {
        if (name === 'stats' || state.trouble === 'none') return method.apply(target, args)
        if (state.trouble === 'hang') return new Promise(() => {})
        return Promise.reject(new Error('down'))
      }
    },
  })
  return state
}

let clock: VirtualClock
let channel: MemoryChannel
let shared: MemoryStore<string>
beforeEach(() => {
  clock = new VirtualClock(1_000_000)
  channel = new MemoryChannel()
  shared = new MemoryStore({ clock })
})

/** A process on a machine of its own: memory, its own store, and what all share. */
function machine() {
  const near = fragile(new MemoryStore<string>({ clock }))
  const far = fragile(shared)
  const layers = new LayeredStore<string>({
    near: near.store,
    far: far.store,
    bus: channel.connect(),
    clock,
  })
  const cache = new TieredCache<string>({
    store: layers,
    bus: channel.connect(),
    clock,
    ttl: 60_000,
    staleIfError: 60_000,
  })
  return { near, far, layers, cache }
}

test('each tier fills those before it, and answers without those behind it', async () => {
  const [here, there] = [machine(), machine()]
  expect(await here.cache.getOrLoad('k', () => 'loaded', { tags: ['t'] })).toBe('loaded')
  expect(await there.cache.getOrLoad('k', () => 'never')).toBe('loaded')
  expect((await there.near.store.get('k'))?.tags).toEqual(['t'])
  there.far.trouble = 'reject'
  const restarted = new TieredCache<string>({ store: there.layers, clock })
  expect(await restarted.get('k')).toBe('loaded')
  expect(there.layers.stats()).toMatchObject({ farFailures: 0 })
})

test.each(['delete', 'expire', 'deleteTag', 'expireTag', 'deleteMatching', 'clear'] as const)(
  'after %s no tier of any machine has the old value as fresh',
  async verb => {
    const [here, there] = [machine(), machine()]
    await here.cache.getOrLoad('k', () => 'old', { tags: ['k'] })
    expect(await there.cache.get('k')).toBe('old')
    await here.cache[verb](verb === 'clear' ? (undefined as never) : 'k')
    for (const { cache, layers } of [here, there]) {
      expect(await cache.get('k')).toBe(undefined)
      expect(await new TieredCache<string>({ store: layers, clock }).get('k')).toBe(undefined)
    }
    expect(await there.cache.getOrLoad('k', () => 'new')).toBe('new')
  },
)

test('a load that another machine invalidated is kept by no tier', async () => {
  const [here, there] = [machine(), machine()]
  const { promise, resolve } = Promise.withResolvers<string>()
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
  const answer = here.cache.getOrLoad('k', () => {
    begin()
    return promise
  })
  await begun
  await there.cache.delete('k')
  resolve('old')
  expect(await answer).toBe('old')
  for (const store of [shared, here.near.store, there.near.store]) {
    expect(await store.get('k')).toBe(undefined)
  }
})

test('a set leaves the near stores of all machines to read it anew', async () => {
  const [here, there] = [machine(), machine()]
  await here.cache.getOrLoad('k', () => 'old')
  await there.cache.get('k')
  expect(await here.cache.set('k', 'new')).toBe(true)
  for (const { layers } of [here, there]) expect((await layers.get('k'))?.value).toBe('new')
})

test('near that cannot be told is read as if it knew, and told when it answers', async () => {
  const [here, there] = [machine(), machine()]
  await here.cache.getOrLoad('k', () => 'old')
  await there.cache.get('k')
  there.near.trouble = 'reject'
  await here.cache.delete('k')
  await clock.advanceAsync(1)
  expect(there.layers.stats().pending).toBe(1)
  there.near.trouble = 'none'
  expect(await there.layers.get('k')).toBe(undefined)
  await clock.advanceAsync(2_000)
  expect(there.layers.stats().pending).toBe(0)
  expect(await there.near.store.get('k')).toBe(undefined)
})

test('with far down, loads go on in near, invalidations reject and are repeated', async () => {
  const { cache, far, near } = machine()
  far.trouble = 'reject'
  expect(await cache.getOrLoad('k', () => 'loaded')).toBe('loaded')
  expect((await near.store.get('k'))?.value).toBe('loaded')
  await expect(cache.delete('k')).rejects.toThrow('down')
  expect(await near.store.get('k')).toBe(undefined)
  far.trouble = 'none'
  await clock.advanceAsync(2_000)
  expect(cache.stats().pending).toBe(0)
})

test('each store has its own time-out and breaker', async () => {
  const { cache, layers, far } = machine()
  far.trouble = 'hang'
  for (let i = 0; i < 5; i++) {
    const loaded = cache.getOrLoad(`k${i}`, () => 'loaded')
    await clock.advanceAsync(1_000)
    expect(await loaded).toBe('loaded')
  }
  const before = clock.now()
  expect(await cache.getOrLoad('quick', () => 'loaded')).toBe('loaded')
  expect(clock.now()).toBe(before)
  expect(layers.stats().nearFailures).toBe(0)
  expect(layers.stats().farFailures).toBeGreaterThanOrEqual(5)
})

test('a gap in what the bus delivered empties near', async () => {
  const bus = channel.connect()
  const near = new MemoryStore<string>({ clock })
  const layers = new LayeredStore<string>({ near, far: shared, bus, clock })
  await shared.set('k', 'old')
  await layers.get('k')
  expect((await near.get('k'))?.value).toBe('old')
  await shared.delete('k')
  bus.breakOff()
  expect(await layers.get('k')).toBe(undefined)
  await layers.close()
  expect(clock.pending).toBe(0)
})

test('a write that far takes after it was given up is removed, everywhere', async () => {
  const there = machine()
  const near = new MemoryStore<string>({ clock })
  const { promise, resolve: land } = Promise.withResolvers<void>()
  const far = new Proxy(shared, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name, target)
      if (typeof method !== 'function') return method
      if (name !== 'set') return method.bind(target)
      return (...args: unknown[]) => promise.then(() => method.apply(target, args))
    },
  })
  const layers = new LayeredStore<string>({ near, far, bus: channel.connect(), clock })
  const given = expect(layers.set('k', 'late')).rejects.toMatchObject({
    code: 'ERR_MILLRACE_STORE_TIMEOUT',
  })
  await clock.advanceAsync(1_000)
  await given
  await shared.set('k', 'newer')
  expect(await there.cache.get('k')).toBe('newer')
  land()
  await clock.advanceAsync(0)
  expect(await shared.get('k')).toBe(undefined)
  expect(await there.cache.get('k')).toBe(undefined)
  expect(await layers.get('k')).toBe(undefined)
  await clock.advanceAsync(1)
  expect(layers.stats().pending).toBe(0)
  await layers.close()
})

test('what is read when it is closed ends with its own error', async () => {
  const { layers, near, far } = machine()
  near.trouble = far.trouble = 'hang'
  const ended = expect(layers.get('k')).rejects.toMatchObject({
    code: 'ERR_MILLRACE_STORE_CLOSED',
  })
  const closed = layers.close()
  await clock.advanceAsync(1_000)
  await Promise.all([closed, ended])
})

test('close lets a change reach near before it leaves it', async () => {
  const { layers, near, far } = machine()
  await shared.set('k', 'old')
  await layers.get('k')
  far.trouble = 'hang'
  const written = layers.delete('k').catch(error => error.code)
  const closed = layers.close()
  await clock.advanceAsync(1_000)
  expect(await written).toBe('ERR_MILLRACE_STORE_TIMEOUT')
  await closed
  expect(await near.store.get('k')).toBe(undefined)
})

test('nearTtl bounds how long near keeps what far has, and bad options are named', async () => {
  const near = new MemoryStore<string>({ clock })
  const layers = new LayeredStore<string>({ near, far: shared, nearTtl: 1_000, clock })
  await shared.set('k', 'old', { ttl: 60_000 })
  await layers.get('k')
  await shared.set('k', 'new', { ttl: 60_000 })
  expect((await layers.get('k'))?.value).toBe('old')
  clock.advance(1_000)
  expect((await layers.get('k'))?.value).toBe('new')
  expect(() => new LayeredStore({ near, far: {} as never })).toThrow('`far`')
  expect(() => new LayeredStore({ near, far: near })).toThrow(
    expect.objectContaining({ code: 'ERR_MILLRACE_INVALID_OPTION', option: 'near' }),
  )
  expect(() => new LayeredStore({ near, far: shared, neerTtl: 1 } as never)).toThrow('`nearTtl`')
})
