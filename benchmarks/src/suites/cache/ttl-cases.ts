import { type Case, defineCase } from '../../define.ts'
import {
  lruCache,
  lruCacheExact,
  millrace,
  millraceTickerClock,
  millraceTurnClock,
  quickLru,
  tinyLru,
} from './contenders/caches.ts'
import { checkHit, hit } from './workloads/hit.ts'
import { quickRoundsOf, type Shape, shapeLabel, usualAnew } from './workloads/keys.ts'

const limits = { ttl: 60_000 }
const quickRounds = 2

/**
 * Hits of entries with a time to live, like for like: a clock that is read for each hit, so that nothing expired is served whatever
 * blocks, against lru-cache with `ttlResolution: 0`; a clock that is read once per run of code against its default, once per ms.
 */
export const ttlCases: Case[] = [
  defineCase<number>({
    name: 'hit with TTL',
    description:
      'the same with a time to live of a minute on every entry and the clock read for each hit; lru-cache’s default reads it once per ms',
    unit: 'ns/op',
    quickRounds,
    goal: { 'lru-cache, ttlResolution 0': 1.3 },
    ours: hit(millrace('adaptive'), limits),
    peers: {
      'lru-cache, ttlResolution 0': hit(lruCacheExact, limits),
      'lru-cache': hit(lruCache, limits),
      'tiny-lru': hit(tinyLru, limits),
      'quick-lru': hit(quickLru, limits),
    },
    check: checkHit(),
  }),
  defineCase<number>({
    name: 'hit with TTL, key strings built anew',
    description: 'the same, each read with a string object of its own',
    unit: 'ns/op',
    quickRounds,
    goal: { 'lru-cache, ttlResolution 0': 1.3 },
    ours: hit(millrace('adaptive'), limits, usualAnew),
    peers: { 'lru-cache, ttlResolution 0': hit(lruCacheExact, limits, usualAnew) },
    check: checkHit(usualAnew),
  }),
  defineCase<number>({
    name: 'hit with TTL, turnClock',
    description: 'the same with a clock read once per run of synchronous code',
    unit: 'ns/op',
    quickRounds,
    goal: { 'lru-cache': 2 },
    ours: hit(millraceTurnClock, limits),
    peers: { 'lru-cache': hit(lruCache, limits) },
    check: checkHit(),
  }),
  defineCase<number>({
    name: 'hit with TTL, TickerClock',
    description: 'the same with a clock that a thread keeps, at most an interval behind',
    unit: 'ns/op',
    quickRounds,
    goal: { 'lru-cache': 2 },
    ours: hit(millraceTickerClock, limits),
    peers: { 'lru-cache': hit(lruCache, limits) },
    check: checkHit(),
  }),
]

/** The two clocks over sizes and kinds of keys. */
export function hitsWithTtl(shape: Shape): Case[] {
  const quickRounds = quickRoundsOf(shape)
  return [
    defineCase<number>({
      name: `hit with TTL, ${shapeLabel(shape)}`,
      description: 'the clock read for each hit',
      unit: 'ns/op',
      quickRounds,
      goal: { 'lru-cache, ttlResolution 0': 1.3 },
      ours: hit(millrace('adaptive'), limits, shape),
      peers: { 'lru-cache, ttlResolution 0': hit(lruCacheExact, limits, shape) },
      check: checkHit(shape),
    }),
    defineCase<number>({
      name: `hit with TTL, turnClock, ${shapeLabel(shape)}`,
      description: 'the clock read once per run of code; lru-cache’s once per ms',
      unit: 'ns/op',
      quickRounds,
      goal: { 'lru-cache': 2 },
      ours: hit(millraceTurnClock, limits, shape),
      peers: { 'lru-cache': hit(lruCache, limits, shape) },
      check: checkHit(shape),
    }),
  ]
}
