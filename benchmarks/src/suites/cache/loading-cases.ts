import { type Case, defineCase } from '../../define.ts'
import {
  bentocacheLoad,
  bentocacheLoadTagged,
  cacheableLoad,
  cacheableWrapObject,
  checkLoadHit,
  loadHit,
  loadHitSync,
  lruCacheFetch,
  lruCacheMemo,
  millraceLoad,
  millraceLoadSync,
  millraceLoadTagged,
  millraceMemoize,
  millraceMemoizeObject,
} from './workloads/get-or-load.ts'

const quickRounds = 1
const hitGoal = { 'lru-cache fetch': 1.5, 'bentocache getOrSet': 30, 'cacheable getOrSet': 50 }

/** Loading through the cache, where the value is there already: what nearly every call comes to. */
export const loadingCases: Case[] = [
  defineCase<number>({
    name: 'getOrLoad hit',
    description:
      '`getOrLoad(key, loader)` of 1,000 keys that are held, without a time to live; one promise in a thousand is awaited',
    unit: 'ns/op',
    quickRounds,
    goal: hitGoal,
    ours: loadHit(millraceLoad, false),
    peers: {
      'lru-cache fetch': loadHit(lruCacheFetch, false),
      'bentocache getOrSet': loadHit(bentocacheLoad, false),
      'cacheable getOrSet': loadHit(cacheableLoad, false),
    },
    check: checkLoadHit,
  }),
  defineCase<number>({
    name: 'getOrLoad hit, awaited',
    description: 'the same, each awaited before the next; an `await` alone costs some 50 ns of it',
    unit: 'ns/op',
    quickRounds,
    goal: hitGoal,
    ours: loadHit(millraceLoad, true),
    peers: {
      'lru-cache fetch': loadHit(lruCacheFetch, true),
      'bentocache getOrSet': loadHit(bentocacheLoad, true),
      'cacheable getOrSet': loadHit(cacheableLoad, true),
    },
    check: checkLoadHit,
  }),
  defineCase<number>({
    name: 'getOrLoad hit, two tags, awaited',
    description: 'the same with two tags on every entry',
    unit: 'ns/op',
    quickRounds,
    goal: { 'bentocache getOrSet': 30 },
    ours: loadHit(millraceLoadTagged, true),
    peers: { 'bentocache getOrSet': loadHit(bentocacheLoadTagged, true) },
    check: checkLoadHit,
  }),
  defineCase<number>({
    name: 'getOrLoadSync hit',
    description: '`getOrLoadSync(key, loader)` of the same keys: no promise is made',
    unit: 'ns/op',
    quickRounds,
    ours: loadHitSync(millraceLoadSync),
    peers: { 'lru-cache memo': loadHitSync(lruCacheMemo) },
    check: checkLoadHit,
  }),
  defineCase<number>({
    name: 'memoize hit, one string',
    description: 'a memoized function of one string',
    unit: 'ns/op',
    quickRounds,
    ours: loadHitSync(millraceMemoize),
    peers: { 'lru-cache memo': loadHitSync(lruCacheMemo) },
    check: checkLoadHit,
  }),
  defineCase<number>({
    name: 'memoize hit, one object',
    description: 'a memoized function of one object of two strings, with its default key',
    unit: 'ns/op',
    quickRounds,
    ours: loadHitSync(millraceMemoizeObject),
    peers: { 'cacheable wrap': loadHitSync(cacheableWrapObject) },
    check: checkLoadHit,
  }),
]
