import { everyInterleaving, sampled, VirtualClock } from '@millrace/testkit'
import { describe, expect, it } from 'vitest'
import { loaded } from '../load/loaded.ts'
import { RefreshedSource, readMany, type Source } from '../load/refreshed-source.fixture.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { MemoryChannel } from './bus/memory-bus.ts'
import { changeVerbs } from './change-verbs.fixture.ts'
import { TieredCache } from './tiered-cache.ts'
import type { TieredCacheOptions } from './tiered-options.ts'

/*
 * The race table of `load/invalidate-during-refresh.test.ts`, in two tiers: the copy that is due for a refresh is in both or in
 * the second alone, and the writer is in the process of the readers or in another one. A twelfth of its 1,056 cells are tried, all
 * from MILLRACE_TEST_SCALE=12.
 */

type Numbers = TieredCache<number>

/** How a copy comes to be refreshed: after `age` ms, while `wait` ms pass, from a source that may be `down` until the write. */
interface Refresh {
  readonly options: Partial<TieredCacheOptions<number>>
  readonly age: number
  readonly wait?: number
  readonly conditional?: true
  readonly down?: true
}

const ever = 1_000_000

const refreshes: Record<string, Refresh> = {
  'stale-while-revalidate': { options: { staleWhileRevalidate: ever }, age: 150 },
  'eager refresh': { options: { eagerRefresh: 0.5 }, age: 60 },
  'eager refresh, then stale-while-revalidate': {
    options: { eagerRefresh: 0.5, staleWhileRevalidate: ever },
    age: 60,
    wait: 40,
  },
  'a soft timeout': { options: { staleIfError: ever, softTimeout: 10 }, age: 150, wait: 10 },
  'stale-if-error': { options: { staleIfError: ever, errorBackoff: 0 }, age: 150, down: true },
  'a failing stale-while-revalidate': {
    options: { staleWhileRevalidate: ever, staleIfError: ever, errorBackoff: 500 },
    age: 150,
    down: true,
  },
  'a failing eager refresh': {
    options: { eagerRefresh: 0.5, errorBackoff: 500 },
    age: 60,
    down: true,
  },
  'a conditional refresh': {
    options: { staleWhileRevalidate: ever },
    age: 150,
    conditional: true,
  },
}

/** Each way to read `k`. */
const reads: Record<string, (cache: Numbers, source: Source) => Promise<number>> = {
  getOrLoad: (cache, source) => cache.getOrLoad('k', ({ stale }) => source(stale), { tags: ['t'] }),
  'getOrLoad with a tag that only the result names': (cache, source) =>
    cache.getOrLoad('k', async ({ stale }) => loaded(await source(stale), { tags: ['t'] })),
  getOrLoadMany: readMany,
}

const softly = /expire/i
const writes = /^set/
const writers = ['the same process', 'another process']
const places = ['both tiers', 'the second tier']
const cells = Object.keys(changeVerbs).flatMap(verb => writers.map(writer => ({ verb, writer })))

describe.each(Object.entries(refreshes))('%s', (_, { options, age, wait, conditional, down }) => {
  describe.each(places)('of a copy in %s', place => {
    describe.each(Object.entries(reads))('by %s', (_, read) => {
      it.each(sampled(cells, 1 / 12))(
        'is never overtaken by $verb in $writer',
        async ({ verb, writer }) => {
          // A load that failed has no result to name its tags, which this process learns from no copy of its own.
          const nameless =
            verb === 'deleteTag' && place !== 'both tiers' && read !== reads.getOrLoad
          const orders = await everyInterleaving(async scheduler => {
            const clock = new VirtualClock(1_000_000)
            const store = new MemoryStore<number>({ clock })
            const channel = new MemoryChannel()
            const connect = (): Numbers =>
              new TieredCache({ store, bus: channel.connect(), clock, ttl: 100, ...options })
            const [here, there] = [connect(), connect()]
            const first = conditional ? 1 : 0
            await (place === 'both tiers' ? here : there).set('k', first, { tags: ['t'] })
            clock.advance(age)

            const source = new RefreshedSource(scheduler, first, { conditional, down })
            let announced = false
            let readSince = false
            const reader = async (): Promise<void> => {
              const since = announced
              let value: number
              try {
                value = await read(here, source.load)
              } catch (error) {
                // Nothing may stand in for what was deleted.
                expect((error as Error).message).toBe('source is down')
                expect([since && !nameless, softly.test(verb)]).toEqual([false, false])
                return
              }
              readSince ||= since
              if (since && softly.test(verb)) expect([source.version, source.copy]).toContain(value)
              else if (since) expect(value).toBe(source.version)
              // What the source said may reach those who asked before, the copy may not outlive its deletion.
              else if (announced && !softly.test(verb) && !writes.test(verb) && !conditional)
                expect(value).not.toBe(first)
            }
            const done = [
              scheduler.defer(reader, 'read'),
              scheduler.defer(async () => {
                const writing = writer === 'the same process' ? here : there
                await changeVerbs[verb]!(writing, source.write())
                announced = true
              }, 'write'),
              scheduler.defer(reader, 'read'),
            ]
            if (wait !== undefined) done.push(scheduler.defer(() => clock.advance(wait), 'wait'))
            await scheduler.settle()
            await Promise.all(done)
            // An expiry leaves the source in peace after a failure, as its stale copy serves.
            const patient = source.failedBefore && softly.test(verb)
            const { version } = source
            const kept = await here.get('k')
            if (readSince || writes.test(verb)) expect(patient ? version : kept).toBe(version)
            else expect(kept).toBeUndefined()
            expect((await there.get('k')) ?? version).toBe(version)
            const entry = await store.get('k')
            if (entry !== undefined && entry.expires > clock.now())
              expect(entry.value).toBe(version)
            expect(here.stats().l1.loading).toBe(0)
          })
          expect(orders).toBeGreaterThan(5)
        },
      )
    })
  })
})
