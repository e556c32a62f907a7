import { setImmediate as nextTurn } from 'node:timers/promises'
import { everyInterleaving, VirtualClock } from '@millrace/testkit'
import { describe, expect, it } from 'vitest'
import { loaded } from '../load/loaded.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { MemoryChannel } from './bus/memory-bus.ts'
import { changeVerbs } from './change-verbs.fixture.ts'
import { TieredCache } from './tiered-cache.ts'

/*
 * The race table of `load/`, in two tiers: the value loads in one process while it is invalidated there or in another one.
 * Whoever asks after that must see what was there at that moment or later, and nothing older may stay fresh in a tier.
 */

type Numbers = TieredCache<number>

type Read = (cache: Numbers, source: () => Promise<number>) => Promise<number>

/** Each way to load `k`. */
const loads: Record<string, Read> = {
  getOrLoad: (cache, source) => cache.getOrLoad('k', source, { tags: ['t'] }),
  'getOrLoad with a tag that only the result names': (cache, source) =>
    cache.getOrLoad('k', async () => loaded(await source(), { tags: ['t'] })),
  getOrLoadMany: async (cache, source) => {
    const values = await cache.getOrLoadMany(['j', 'k'], async keys => {
      const value = await source()
      return keys.map(() => loaded(value, { tags: ['t'] }))
    })
    return values.get('k')!
  },
}

const processes: Record<string, (here: Numbers, there: Numbers) => Numbers> = {
  'in the same process': here => here,
  'in another process': (_, there) => there,
}

function start(backgroundWrites = false): {
  clock: VirtualClock
  store: MemoryStore<number>
  caches: [Numbers, Numbers]
} {
  const clock = new VirtualClock(1_000_000)
  const store = new MemoryStore<number>({ clock })
  const channel = new MemoryChannel()
  const connect = (): Numbers =>
    new TieredCache<number>({ store, bus: channel.connect(), clock, ttl: 60_000, backgroundWrites })
  return { clock, store, caches: [connect(), connect()] }
}

describe.each(Object.entries(processes))('invalidation %s', (_, pick) => {
  describe.each(Object.entries(loads))('%s', (_, read) => {
    const written = Object.entries(changeVerbs).flatMap(([name, invalidate]) =>
      [false, true].map(
        background => [name, background ? 'behind' : 'before', invalidate] as const,
      ),
    )
    it.each(written)(
      'is never overtaken by %s, written %s its callers are answered',
      async (_, when, invalidate) => {
        const orders = await everyInterleaving(async scheduler => {
          const { clock, store, caches } = start(when === 'behind')
          const [here] = caches
          let version = 1
          /** What is announced, and so what a reader must see at least. */
          let announced = 1
          const source = scheduler.wrap(async () => version, 'source')
          const fresh = async (): Promise<void> => {
            const atLeast = announced
            expect(await read(here, source)).toBeGreaterThanOrEqual(atLeast)
          }
          const done = [
            fresh(),
            scheduler.defer(async () => {
              const changed = ++version
              await invalidate(pick(...caches), changed)
              announced = changed
            }, 'write'),
            scheduler.defer(fresh, 'read'),
          ]
          await scheduler.settle()
          await Promise.all(done)
          await nextTurn()
          for (const cache of caches) expect((await cache.get('k')) ?? version).toBe(version)
          const entry = await store.get('k')
          if (entry !== undefined && entry.expires > clock.now()) expect(entry.value).toBe(version)
        })
        expect(orders).toBeGreaterThan(10)
      },
    )

    it.each(Object.entries(changeVerbs))(
      'is stored in both tiers if %s came before',
      async (_, invalidate) => {
        const { clock, store, caches } = start()
        await invalidate(pick(...caches), 0)
        await caches[0].delete('k')
        expect(await read(caches[0], async () => 1)).toBe(1)
        clock.advance(1)
        expect((await store.get('k'))!.value).toBe(1)
        for (const cache of caches) expect(await cache.get('k')).toBe(1)
      },
    )

    it.each(Object.entries(changeVerbs))(
      'is followed by a new load if %s comes after',
      async (name, invalidate) => {
        const { caches } = start()
        expect(await read(caches[0], async () => 1)).toBe(1)
        expect(await caches[1].get('k')).toBe(1)
        await invalidate(pick(...caches), 2)
        const kept = name.startsWith('set') ? 2 : undefined
        for (const cache of caches) expect(await cache.get('k')).toBe(kept)
        expect(await read(caches[0], async () => 2)).toBe(2)
      },
    )
  })
})
