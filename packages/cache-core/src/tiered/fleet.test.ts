import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runs, seededRandom, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loaded } from '../load/loaded.ts'
import type { Store } from '../store/contract/store.ts'
import { structuredCodec } from '../store/format/codec.ts'
import { FsStore } from '../store/fs/fs-store.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { SqliteStore } from '../store/sqlite/sqlite-store.ts'
import { MemoryChannel } from './bus/memory-bus.ts'
import { ChaosStore, TROUBLES } from './chaos-store.fixture.ts'
import { LayeredStore } from './layered/layered-store.ts'
import { TieredCache } from './tiered-cache.ts'
import type { TieredCacheOptions } from './tiered-options.ts'

/** Keys that are loaded and invalidated by anyone; by tag, too. */
const SHARED = ['a', 'b', 'c']
/** Keys of which each member writes one, as which of two writes is the newer one no cache can know. */
const OWNED = ['own 0', 'own 1', 'own 2', 'own 3']
const KEYS = [...SHARED, ...OWNED]
const tagsOf = (key: string): string[] => [key === 'b' ? 'tag of a' : `tag of ${key}`]

/** Members as of a service in the middle of a deployment. */
const MIXED: readonly Omit<TieredCacheOptions<number>, 'store'>[] = [
  { storeTimeout: 100, breaker: { failures: 3, cooldown: 200 } },
  { storeTimeout: 60, breaker: { failures: 1, cooldown: 400 }, backgroundWrites: true, l1Ttl: 150 },
  { storeTimeout: 150, breaker: false, ttl: 500, maxEntries: 3 },
  { storeTimeout: 100, ttl: 5_000, staleIfError: 0, protect: 'clone', backgroundWrites: true },
]

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-fleet-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** What each member has of the store that all share. */
const kinds: Record<
  string,
  (clock: VirtualClock, run: string, channel: MemoryChannel) => (index: number) => Store<number>
> = {
  memory: clock => {
    const store = new MemoryStore<number>({ clock })
    return () => store
  },
  sqlite: (clock, run) => index =>
    new SqliteStore<number>({
      path: join(folder, run, 'cache.db'),
      clock,
      ...(index === 1 && { compression: { algorithm: 'gzip', threshold: 1 } }),
      ...(index === 3 && { codec: structuredCodec, ttl: 2_000 }),
    }),
  fs: (clock, run) => index =>
    new FsStore<number>({
      folder: join(folder, run),
      clock,
      ...(index === 2 && { compression: { algorithm: 'brotli', threshold: 1 } }),
      ...(index === 3 && { codec: structuredCodec }),
    }),
  layered: (clock, _, channel) => {
    const far = new MemoryStore<number>({ clock })
    return index => {
      if (index % 2 === 0) return far
      const near = new MemoryStore<number>({ clock })
      return new LayeredStore({ near, far, clock, bus: channel.connect() })
    }
  },
}

test.each(Object.entries(kinds))(
  'over a %s store that fails for each of them at other times, a fleet on a bus passes no time-out and serves nothing outdated',
  async (_, open) => {
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.integer(), async seed => {
        const random = seededRandom(seed)
        const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
        const clock = new VirtualClock(Date.now())
        const wait = (ms: number): Promise<void> =>
          new Promise(resolve => {
            clock.setTimer(resolve, ms)
          })
        const channel = new MemoryChannel()
        const share = open(clock, `${run++}`, channel)
        const source = new Map(KEYS.map(key => [key, 0]))
        /** What whoever asks from now on gets at least, as it was acknowledged. */
        const acknowledged = new Map(source)
        const problems: string[] = []
        let version = 0

        const members = MIXED.map((options, index) => {
          const inner = share(index)
          const bus = channel.connect()
          const chaos = new ChaosStore(inner, clock, options.storeTimeout!, random)
          const cache = new TieredCache<number>({ ...options, store: chaos.store, bus, clock })
          // Its own changes hold for itself even where they failed.
          return {
            index,
            inner,
            bus,
            chaos,
            cache,
            limit: options.storeTimeout!,
            floor: new Map(source),
          }
        })
        type Member = (typeof members)[number]

        const timed = async <T>(what: string, limit: number, call: Promise<T>): Promise<T> => {
          const begun = clock.now()
          try {
            return await call
          } finally {
            if (clock.now() - begun > limit) problems.push(`${what} took ${clock.now() - begun} ms`)
          }
        }
        const change = async ({ index, cache, floor, limit }: Member): Promise<void> => {
          const owned = random() < 0.4
          const key = owned ? OWNED[index]! : pick(SHARED)
          const mine = ++version
          source.set(key, mine)
          const tags = tagsOf(key)
          const writes = [
            () => cache.set(key, mine, { tags }),
            () => cache.setMany([[key, mine]], { tags }),
          ]
          const invalidations = [
            () => cache.delete(key),
            () => cache.deleteMany([key, 'other']),
            () => cache.expire(key),
            () => cache.deleteTag(tags[0]!),
            () => cache.expireTag(tags[0]!),
            () => cache.clear(),
            () => cache.clear({ expire: true }),
          ]
          const done = await timed(
            'a change',
            limit,
            pick<() => Promise<unknown>>(owned ? writes : invalidations)(),
          ).then(
            () => true,
            () => false,
          )
          floor.set(key, Math.max(floor.get(key)!, mine))
          // A write that another member's call gave up may still land behind it.
          if (done && !owned) acknowledged.set(key, Math.max(acknowledged.get(key)!, mine))
        }
        const read = async (
          { index, cache, floor, limit }: Member,
          key: string,
        ): Promise<number> => {
          const least = Math.max(floor.get(key)!, acknowledged.get(key)!)
          const valueNow = (each: string) => loaded(source.get(each)!, { tags: tagsOf(each) })
          const call =
            random() < 0.7
              ? cache.getOrLoad(key, () => valueNow(key))
              : cache.getOrLoadMany(KEYS, keys => keys.map(valueNow)).then(all => all.get(key)!)
          // A load asks the store before and after; who joined one that was outdated meanwhile begins another.
          const found = await timed('a read', 4 * limit, call)
          if (found < least) problems.push(`member ${index} got ${key} at ${found}, after ${least}`)
          return found
        }
        const work = async (member: Member): Promise<void> => {
          for (let step = 0; step < 12; step++) {
            await (random() < 0.35 ? change(member) : read(member, pick(KEYS)))
            await wait(random() * 60)
          }
        }

        let done = false
        const all = Promise.all(
          members.flatMap(each => [work(each), work(each), work(each)]),
        ).finally(() => {
          done = true
        })
        while (!done) {
          const { chaos, bus } = pick(members)
          chaos.trouble = pick(TROUBLES)
          if (random() < 0.2) bus.breakOff()
          await clock.advanceAsync(20 + random() * 60)
        }
        await all
        for (const { chaos } of members) chaos.trouble = 'none'
        await clock.advanceAsync(5_000)
        for (const member of members) {
          expect(member.cache.stats().pending).toBe(0)
          for (const key of KEYS) {
            const found = await read(member, key)
            if (found !== source.get(key)) {
              problems.push(
                `member ${member.index} has ${key} at ${found} in the end, for ${source.get(key)}`,
              )
            }
          }
        }
        expect(problems).toEqual([])
        for (const { cache } of members) await cache.close()
        await Promise.all([...new Set(members.map(each => each.inner))].map(each => each.close()))
        expect(clock.pending).toBe(0)
      }),
      { numRuns: runs(8) },
    )
  },
  120_000 * runs(1),
)
