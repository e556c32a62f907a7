import { everyInterleaving, sampled, VirtualClock } from '@millrace/testkit'
import { describe, expect, it } from 'vitest'
import { Cache } from '../cache/cache.ts'
import type { CacheOptions } from '../cache/cache-options.ts'
import type { View } from '../view/view.ts'
import { Views } from '../view/views.ts'
import { loaded } from './loaded.ts'
import { RefreshedSource, readMany, type Source } from './refreshed-source.fixture.ts'

/*
 * The race table for loads that run behind a value which is, or may be, served in their place. A source has a version, and a
 * copy of an earlier one is cached and due for a refresh. Two readers and one writer come in every order, between the calls of
 * the source and its replies. Whoever asks after an invalidation gets what was there then or later, or, if that was an expiry,
 * the copy which it left to serve; and what is kept in the end was loaded since. A sixth of the cells are tried, all from
 * MILLRACE_TEST_SCALE=6.
 */

type Numbers = Cache<string, number> | View<string, number>

/** How a copy comes to be refreshed. */
interface Refresh {
  readonly options: CacheOptions<string, number>
  /** ms for which the copy has been there. */
  readonly age: number
  /** ms that pass at some moment. */
  readonly wait?: number
  /** The source has what the copy has, and the loader returns the copy where that is so. */
  readonly conditional?: true
  /** The source fails until the writer comes. */
  readonly down?: true
}

const ever = 1_000_000

const refreshes: Record<string, Refresh> = {
  'stale-while-revalidate': { options: { ttl: 100, staleWhileRevalidate: ever }, age: 150 },
  'eager refresh': { options: { ttl: 100, eagerRefresh: 0.5 }, age: 60 },
  'eager refresh, then stale-while-revalidate': {
    options: { ttl: 100, eagerRefresh: 0.5, staleWhileRevalidate: ever },
    age: 60,
    wait: 40,
  },
  'a soft timeout': {
    options: { ttl: 100, staleIfError: ever, softTimeout: 10 },
    age: 150,
    wait: 10,
  },
  'stale-if-error': {
    options: { ttl: 100, staleIfError: ever, errorBackoff: 0 },
    age: 150,
    down: true,
  },
  'stale-if-error with back-off': {
    options: { ttl: 100, staleIfError: ever, errorBackoff: 500 },
    age: 150,
    down: true,
  },
  'a failing stale-while-revalidate': {
    options: { ttl: 100, staleWhileRevalidate: ever, staleIfError: ever, errorBackoff: 500 },
    age: 150,
    down: true,
  },
  'a failing eager refresh': {
    options: { ttl: 100, eagerRefresh: 0.5, errorBackoff: 500 },
    age: 60,
    down: true,
  },
  'a conditional refresh': {
    options: { ttl: 100, staleWhileRevalidate: ever },
    age: 150,
    conditional: true,
  },
  'an eager conditional refresh': {
    options: { ttl: 100, eagerRefresh: 0.5 },
    age: 60,
    conditional: true,
  },
}

type Read = (cache: Numbers, source: Source) => Promise<number>

/** Each way to read `k`. */
const reads: Record<string, Read> = {
  getOrLoad: (cache, source) => cache.getOrLoad('k', ({ stale }) => source(stale), { tags: ['t'] }),
  'getOrLoad with a tag that only the result names': (cache, source) =>
    cache.getOrLoad('k', async ({ stale }) => loaded(await source(stale), { tags: ['t'] })),
  'getOrLoadSync with a signal': async (cache, source) =>
    cache.getOrLoadSync('k', ({ stale }) => source(stale), {
      tags: ['t'],
      signal: new AbortController().signal,
    }),
  getOrLoadMany: readMany,
}

/** What is read, and each way to say that `k`, tagged `t`, has changed. */
interface Subject {
  readonly cache: Numbers
  readonly verbs: Record<string, (version: number) => void>
}

function ofCache(options: CacheOptions<string, number>): Subject {
  const cache = new Cache(options)
  return {
    cache,
    verbs: {
      delete: () => cache.delete('k'),
      expire: () => cache.expire('k'),
      deleteTag: () => cache.deleteTag('t'),
      expireTag: () => cache.expireTag('t'),
      deleteMatching: () => cache.deleteMatching('k*'),
      expireMatching: () => cache.expireMatching('*'),
      clear: () => cache.clear(),
      'clear with expire': () => cache.clear({ expire: true }),
      set: version => cache.set('k', version, { tags: ['t'] }),
    },
  }
}

function ofView(options: CacheOptions<string, number>): Subject {
  const views = new Views(options as CacheOptions<string, unknown>)
  views.use(1)
  const cache = views.view<string, number>('numbers')
  return {
    cache,
    verbs: {
      'clear of the namespace': () => cache.clear(),
      'clear of the namespace with expire': () => cache.clear({ expire: true }),
      'a new version': version => views.use(version),
      'deleteMatching in the namespace': () => cache.deleteMatching('k*'),
      'expireTag of all namespaces': () => views.expireTag('t'),
      'set in the namespace': version => cache.set('k', version, { tags: ['t'] }),
    },
  }
}

const softly = /expire/i
const cells = [ofCache, ofView].flatMap(start =>
  Object.keys(start({}).verbs).map(verb => ({ verb, start })),
)

describe.each(Object.entries(refreshes))('%s', (_, { options, age, wait, conditional, down }) => {
  describe.each(Object.entries(reads))('by %s', (_, read) => {
    it.each(sampled(cells, 1 / 6))('is never overtaken by $verb', async ({ verb, start }) => {
      const orders = await everyInterleaving(async scheduler => {
        const clock = new VirtualClock()
        const { cache, verbs } = start({ ...options, clock })
        const first = conditional ? 1 : 0
        cache.set('k', first, { tags: ['t'] })
        clock.advance(age)

        const source = new RefreshedSource(scheduler, first, { conditional, down })
        let readSince = false
        const reader = async (): Promise<void> => {
          const since = source.written
          readSince ||= since
          let value: number
          try {
            value = await read(cache, source.load)
          } catch (error) {
            // Nothing may stand in for what was deleted.
            expect((error as Error).message).toBe('source is down')
            expect([since, softly.test(verb)]).toEqual([false, false])
            return
          }
          if (since && softly.test(verb)) expect([source.version, source.copy]).toContain(value)
          else if (since) expect(value).toBe(source.version)
          // What the source said may reach those who asked before, the copy may not outlive its deletion.
          else if (source.written && !softly.test(verb) && !verb.includes('set') && !conditional)
            expect(value).not.toBe(first)
        }
        const done = [
          scheduler.defer(reader, 'read'),
          scheduler.defer(() => verbs[verb]!(source.write()), 'write'),
          scheduler.defer(reader, 'read'),
        ]
        if (wait !== undefined) done.push(scheduler.defer(() => clock.advance(wait), 'wait'))
        await scheduler.settle()
        await Promise.all(done)
        // An expiry leaves the source in peace after a failure, as its stale copy serves.
        const { version } = source
        const patient = source.failedBefore && softly.test(verb)
        if (readSince || verb.includes('set')) {
          if (!patient) expect(cache.get('k')).toBe(version)
          else expect([version, undefined]).toContain(cache.get('k'))
        } else {
          expect(cache.get('k')).toBeUndefined()
        }
        if (cache instanceof Cache) expect(cache.stats().loading).toBe(0)
      })
      expect(orders).toBeGreaterThan(10)
    })
  })
})
