import { defineCase, defineSuite } from '../../define.ts'
import { built, checkImport, importTime, installed } from '../../measure/import-time.ts'
import { companyCases } from './company-cases.ts'
import { bareMap, lruCache, millrace, quickLru, tinyLru } from './contenders/caches.ts'
import { gridCases } from './grid-cases.ts'
import { loadingCases } from './loading-cases.ts'
import { ttlCases } from './ttl-cases.ts'
import { type ChurnResult, checkChurn, churn } from './workloads/churn.ts'
import { checkGetOrSet, type GetOrSetResult, getOrSet } from './workloads/get-or-set.ts'
import { checkHit, hit } from './workloads/hit.ts'
import { usualAnew } from './workloads/keys.ts'
import { checkMemory, memory } from './workloads/memory.ts'

const quickRounds = 2

export default defineSuite({
  name: 'cache',
  description:
    'Each figure is the median of the rounds (5, or up to 3 with `--quick`), each in a process of its own, ours and the peers in turn. Keys are strings of about 20 characters, values small integers.',
  versions: ['lru-cache', 'tiny-lru', 'quick-lru', 'bentocache', 'cacheable'],
  headline: /^(hit|hit with TTL|Zipf get-or-set|churn|memory|getOrLoad hit)$/,
  cases: [
    defineCase<number>({
      name: 'hit',
      description:
        '`get` in a full cache of 10,000 entries, keys drawn by a Zipf law; reads bring the key objects that were stored',
      unit: 'ns/op',
      quickRounds,
      goal: { 'lru-cache': 1.9, 'Map.get': 1 / 1.1 },
      ours: hit(millrace('adaptive')),
      peers: {
        'lru-cache': hit(lruCache),
        'Map.get': hit(bareMap),
        'tiny-lru': hit(tinyLru),
        'quick-lru': hit(quickLru),
      },
      check: checkHit(),
    }),
    defineCase<number>({
      name: 'hit, key strings built anew',
      description:
        'the same, each read with a string object of its own: a `Map` has to compare the characters',
      unit: 'ns/op',
      quickRounds,
      goal: { 'lru-cache': 1.9, 'Map.get': 1 / 1.1 },
      ours: hit(millrace('adaptive'), {}, usualAnew),
      peers: { 'lru-cache': hit(lruCache, {}, usualAnew), 'Map.get': hit(bareMap, {}, usualAnew) },
      check: checkHit(usualAnew),
    }),
    defineCase<number>({
      name: 'hit, sieve',
      description: 'the same with the policy `sieve`',
      unit: 'ns/op',
      quickRounds,
      goal: { 'lru-cache': 1.9 },
      ours: hit(millrace('sieve')),
      peers: { 'lru-cache': hit(lruCache) },
      check: checkHit(),
    }),
    ...ttlCases,
    defineCase<GetOrSetResult>({
      name: 'Zipf get-or-set',
      description:
        '`get`, and `set` on a miss, of 100,000 keys by a Zipf law in a cache of 10,000; one string object for each key',
      unit: 'ns/op',
      quickRounds,
      goal: { 'lru-cache': 1.3 },
      ours: getOrSet(millrace('adaptive')),
      peers: {
        'lru-cache': getOrSet(lruCache),
        'tiny-lru': getOrSet(tinyLru),
        'quick-lru': getOrSet(quickLru),
      },
      check: checkGetOrSet,
    }),
    defineCase<GetOrSetResult>({
      name: 'Zipf get-or-set, key strings built anew',
      description: 'the same, each read with a string object of its own',
      unit: 'ns/op',
      quickRounds,
      goal: { 'lru-cache': 1.3 },
      ours: getOrSet(millrace('adaptive'), usualAnew),
      peers: { 'lru-cache': getOrSet(lruCache, usualAnew) },
      check: checkGetOrSet,
    }),
    defineCase<GetOrSetResult>({
      name: 'Zipf get-or-set, sieve',
      description: 'the same with the policy `sieve`',
      unit: 'ns/op',
      quickRounds,
      goal: { 'lru-cache': 1.6 },
      ours: getOrSet(millrace('sieve')),
      peers: { 'lru-cache': getOrSet(lruCache) },
      check: checkGetOrSet,
    }),
    defineCase<GetOrSetResult>({
      name: 'Zipf get-or-set, sieve, key strings built anew',
      description: 'the same, each read with a string object of its own',
      unit: 'ns/op',
      quickRounds,
      goal: { 'lru-cache': 1.6 },
      ours: getOrSet(millrace('sieve'), usualAnew),
      peers: { 'lru-cache': getOrSet(lruCache, usualAnew) },
      check: checkGetOrSet,
    }),
    defineCase<ChurnResult>({
      name: 'churn',
      description:
        '`set` of keys that are not held in a full cache of 10,000: every one evicts; one string object for each key',
      unit: 'ns/op',
      quickRounds,
      goal: { 'lru-cache': 0.9 },
      ours: churn(millrace('adaptive')),
      peers: { 'lru-cache': churn(lruCache), 'tiny-lru': churn(tinyLru) },
      check: checkChurn(),
    }),
    defineCase<ChurnResult>({
      name: 'churn, sieve',
      description: 'the same with the policy `sieve`',
      unit: 'ns/op',
      quickRounds,
      goal: { 'lru-cache': 1.15 },
      ours: churn(millrace('sieve')),
      peers: { 'lru-cache': churn(lruCache) },
      check: checkChurn(),
    }),
    defineCase<number>({
      name: 'memory',
      description: 'bytes kept alive per entry of a full cache of 100,000, beyond keys and values',
      unit: 'bytes/entry',
      quickRounds: 1,
      goal: { 'lru-cache': 1 / 1.1 },
      ours: memory(millrace('adaptive')),
      peers: {
        'lru-cache': memory(lruCache),
        'tiny-lru': memory(tinyLru),
        'quick-lru': memory(quickLru),
      },
      check: checkMemory,
    }),
    defineCase<number>({
      name: 'import',
      description: 'time to import the main entry, as published, in a fresh process',
      unit: 'ms',
      quickRounds: 1,
      limit: 5,
      ours: importTime(() => built('cache-core', 'index')),
      peers: {
        'lru-cache': importTime(() => installed('lru-cache')),
        bentocache: importTime(() => installed('bentocache')),
        cacheable: importTime(() => installed('cacheable')),
      },
      check: checkImport(1),
    }),
    ...companyCases,
    ...gridCases,
    ...loadingCases,
  ],
})
