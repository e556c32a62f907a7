import { setImmediate as nextTurn } from 'node:timers/promises'
import { VirtualClock } from '@millrace/testkit'
import { beforeEach, expect, it, vi } from 'vitest'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { TieredCache } from './tiered-cache.ts'
import type { TieredCacheOptions } from './tiered-options.ts'

let clock: VirtualClock
let store: MemoryStore<number>

beforeEach(() => {
  clock = new VirtualClock(1_000_000)
  store = new MemoryStore({ clock })
})

function newCache(options: Partial<TieredCacheOptions<number>> = {}): TieredCache<number> {
  return new TieredCache<number>({ store, clock, ttl: 10_000, backgroundWrites: true, ...options })
}

const absent = async (): Promise<never> => {
  throw new Error('There is nothing')
}

it('answers before the second tier has the value, and writes those of one turn by one call', async () => {
  await using cache = newCache()
  const writes = vi.spyOn(store, 'setMany')
  for (const key of ['a', 'b', 'c']) {
    expect(await cache.getOrLoad(key, async () => 1, { tags: ['t'] })).toBe(1)
  }
  const many = await cache.getOrLoadMany(['d', 'e'], async keys => keys.map(() => 2))
  expect(many.get('e')).toBe(2)
  expect(writes).not.toHaveBeenCalled()
  await nextTurn()
  expect(writes).toHaveBeenCalledTimes(1)
  expect((await store.get('a'))?.tags).toEqual(['t'])
  expect((await store.getMany(['a', 'b', 'c', 'd', 'e'])).map(entry => entry?.value)).toEqual([
    1, 1, 1, 2, 2,
  ])
})

it('writes many of one turn by several calls', async () => {
  await using cache = newCache()
  const writes = vi.spyOn(store, 'setMany')
  for (let key = 0; key < 150; key++) await cache.getOrLoad(`${key}`, async () => key)
  expect(writes.mock.calls.map(([items]) => items.length)).toEqual([64, 64])
  await nextTurn()
  expect(writes.mock.calls.map(([items]) => items.length)).toEqual([64, 64, 22])
})

it('finds what waits to be written when the first tier has lost it', async () => {
  await using cache = newCache({ maxEntries: 1 })
  await cache.getOrLoad('a', async () => 1)
  await cache.getOrLoad('b', async () => 2)
  expect(await cache.getOrLoad('a', absent)).toBe(1)
  expect(await cache.get('b')).toBe(2)
  await cache.getOrLoad('c', async () => 3)
  await cache.getOrLoad('d', async () => 4)
  expect(await cache.peek('c')).toBe(3)
  const keys: string[] = []
  for await (const [key] of cache.entries()) keys.push(key)
  expect(keys.sort()).toEqual(['a', 'b', 'c', 'd'])
})

it('drops from the first tier what another process invalidated during the load', async () => {
  await using here = newCache()
  await using there = newCache()
  await here.getOrLoad('k', async () => {
    await there.delete('k')
    return 1
  })
  await nextTurn()
  expect(here.stats()).toMatchObject({ storeRefusals: 1, l1: { entries: 0 } })
  expect(await store.get('k')).toBeUndefined()
  expect(await here.getOrLoad('k', async () => 2)).toBe(2)
})

it('keeps a value that was set while a loaded one waited', async () => {
  await using cache = newCache()
  await cache.getOrLoad('k', async () => 1)
  expect(await cache.set('k', 2)).toBe(true)
  await nextTurn()
  expect((await store.get('k'))?.value).toBe(2)
  expect(cache.stats()).toMatchObject({ storeRefusals: 0, l1: { entries: 1 } })
})

it('keeps what was expired while it waited as a stale value', async () => {
  await using cache = newCache({ staleIfError: 60_000 })
  await cache.getOrLoad('k', async () => 1)
  await cache.expire('k')
  await nextTurn()
  expect(await store.get('k')).toMatchObject({ value: 1, expires: 0 })
  expect(await cache.getOrLoad('k', absent)).toBe(1)
})

it('writes what waits before it closes', async () => {
  const cache = newCache()
  await cache.getOrLoad('k', async () => 1)
  await cache.close()
  expect((await store.get('k'))?.value).toBe(1)
})

it('waits for writes again while too many are on their way to a store that hangs', async () => {
  const cache = newCache({ breaker: false, maxEntries: 5_000 })
  vi.spyOn(store, 'setMany').mockReturnValue(new Promise(() => {}))
  const keys = Array.from({ length: 1_000 }, (_, index) => `${index}`)
  await cache.getOrLoadMany(keys, async missing => missing.map(Number))
  await cache.getOrLoadMany(['x', 'y'], async missing => missing.map(() => 1))
  const late = vi.fn()
  const held = cache
    .getOrLoadMany(
      keys.map(key => `more ${key}`),
      async missing => missing.map(() => 1),
    )
    .then(late)
  await nextTurn()
  expect(late).not.toHaveBeenCalled()
  await clock.advanceAsync(2_000)
  await held
  expect(cache.stats().storeFailures).toBeGreaterThan(1)
  // What a store did not take stays in the first tier.
  expect(await cache.getOrLoad('x', absent)).toBe(1)
  const closed = cache.close()
  await clock.advanceAsync(2_000)
  await closed
  expect(clock.pending).toBe(0)
})

it('holds a lease until the value can be read', async () => {
  const order: string[] = []
  const write = store.setMany.bind(store)
  vi.spyOn(store, 'setMany').mockImplementation(async items => {
    const written = await write(items)
    order.push('written')
    return written
  })
  const lease = { acquire: async () => ({ release: async () => void order.push('released') }) }
  await using cache = newCache({ lease })
  await cache.getOrLoad('k', async () => 1)
  expect(order).toEqual(['written', 'released'])
})

it('is refused unless it is a boolean', () => {
  expect(() => newCache({ backgroundWrites: 'yes' as never })).toThrow(
    'Expected `backgroundWrites` to be',
  )
})
