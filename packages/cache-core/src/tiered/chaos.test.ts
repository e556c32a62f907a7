import { runs, seededRandom, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { loaded } from '../load/loaded.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { ChaosStore, TROUBLES } from './chaos-store.fixture.ts'
import { TieredCache } from './tiered-cache.ts'

const TIMEOUT = 100
const KEYS = ['a', 'b', 'c']

test('under load no call passes its time-out, and nothing outdated is served, while a store fails and recovers', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async seed => {
      const random = seededRandom(seed)
      const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
      const clock = new VirtualClock(1_000_000)
      const memory = new MemoryStore<number>({ clock })
      const chaos = new ChaosStore(memory, clock, TIMEOUT, random)
      const cache = new TieredCache<number>({
        store: chaos.store,
        clock,
        storeTimeout: TIMEOUT,
        backgroundWrites: seed % 2 === 0,
        breaker: { failures: 3, cooldown: 200 },
      })
      const source = new Map(KEYS.map(key => [key, 0]))
      /** What whoever asks from now on gets at least. */
      const floor = new Map(source)
      let version = 0
      const longest = { change: 0, read: 0 }

      const timed = async <T>(kind: 'change' | 'read', call: Promise<T>): Promise<T> => {
        const begun = clock.now()
        try {
          return await call
        } finally {
          longest[kind] = Math.max(longest[kind], clock.now() - begun)
        }
      }
      const change = async (key: string): Promise<void> => {
        const mine = ++version
        source.set(key, mine)
        const tags = [key]
        const changes: (() => Promise<unknown>)[] = [
          () => cache.set(key, mine, { tags }),
          () => cache.set(key, mine, { tags }),
          () => cache.setMany([[key, mine]], { tags }),
          () => cache.delete(key),
          () => cache.deleteMany([key]),
          () => cache.expire(key),
          () => cache.deleteTag(key),
          () => cache.clear(),
        ]
        // One that fails holds in this process all the same.
        await timed<unknown>('change', pick(changes)()).catch(() => {})
        floor.set(key, Math.max(floor.get(key)!, mine))
      }
      const read = async (key: string): Promise<void> => {
        const least = floor.get(key)!
        const valueNow = (each: string) => loaded(source.get(each)!, { tags: [each] })
        const found =
          random() < 0.7
            ? await timed(
                'read',
                cache.getOrLoad(key, () => valueNow(key)),
              )
            : (
                await timed(
                  'read',
                  cache.getOrLoadMany(KEYS, keys => keys.map(valueNow)),
                )
              ).get(key)!
        expect(found).toBeGreaterThanOrEqual(least)
      }
      const wait = (ms: number): Promise<void> =>
        new Promise(resolve => {
          clock.setTimer(resolve, ms)
        })
      const work = async (): Promise<void> => {
        for (let step = 0; step < 12; step++) {
          await (random() < 0.35 ? change(pick(KEYS)) : read(pick(KEYS)))
          await wait(random() * 60)
        }
      }

      let done = false
      const all = Promise.all(Array.from({ length: 8 }, work)).finally(() => {
        done = true
      })
      while (!done) {
        chaos.trouble = pick(TROUBLES)
        await clock.advanceAsync(50 + random() * 100)
      }
      await all
      expect(longest.change).toBeLessThanOrEqual(TIMEOUT)
      // A load asks the store before and after; who joined one that was outdated meanwhile begins another.
      expect(longest.read).toBeLessThanOrEqual(4 * TIMEOUT)
      chaos.trouble = 'none'
      await clock.advanceAsync(5_000)
      expect(cache.stats().pending).toBe(0)
      for (const key of KEYS) {
        const entry = await memory.get(key)
        // 0: stale, by an `expire`.
        if (entry !== undefined && entry.expires !== 0) {
          expect(entry.value).toBeGreaterThanOrEqual(floor.get(key)!)
        }
        await read(key)
      }
      await cache.close()
      expect(clock.pending).toBe(0)
    }),
    // In the example, what a slow read brings was outdated when it began, and is made good before it ends.
    { numRuns: runs(15), examples: [[1066467745]] },
  )
})
