import assert from 'node:assert/strict'
import { type Case, defineCase, defineSuite } from '../../define.ts'
import {
  bentocacheLoad,
  checkLoadHit,
  loadHit,
  millraceLoad,
} from '../cache/workloads/get-or-load.ts'
import { catalogue, findTrace } from '../hit-ratio/traces/catalogue.ts'
import { calls, parsedFile, uncached } from './contenders/function.ts'
import { hitsOfPrefetching, type PrefetchResult, prefetchFigure } from './contenders/prefetch.ts'
import { fsStore, fsSync, preparedStatement, sqliteStore, storeReads } from './contenders/reads.ts'
import { sharedFile } from './contenders/shared-file.ts'
import {
  atOnce,
  bentocacheFile,
  cacheable,
  cacheManager,
  checkMixed,
  coldStart,
  keyvOverOurs,
  keyvOverTheirs,
  mapOfPromises,
  millraceL1,
  millraceSqlite,
  mixed,
  underPressure,
} from './contenders/tiers.ts'

/**
 * Where uses follow each other, and where they do not, with the least precision and recall, in %; where next to nothing is predicted,
 * there are none. Those of the traces that are at hand.
 */
const warmed = [
  { trace: 'cs', entries: 400, goal: 1.5, precision: 90, recall: 50 },
  { trace: 'sprite', entries: 200, goal: 1.1, precision: 90, recall: 25 },
  { trace: 'orm-busy', entries: 1_000, goal: 1, precision: 90, recall: 4 },
  { trace: 'web07', entries: 1_000, goal: 0.99, precision: undefined, recall: undefined },
].flatMap(({ trace, ...rest }) => {
  const source = catalogue.find(({ name }) => name === trace)!
  const path = findTrace(source)
  return path === undefined ? [] : [{ source, path, ...rest }]
})

const warming = warmed.flatMap(({ source, path, entries, goal, ...limits }): Case[] => {
  const name = `${source.name} @${entries}`
  const check = ({ hits, used, prefetched }: PrefetchResult): void => {
    assert.ok(hits > 0 && used <= prefetched)
  }
  return [
    defineCase<PrefetchResult>({
      name: `warming: hits, ${name}`,
      description:
        'reads of a recorded trace that hit, where what usually follows a key is loaded with it, and where it is not',
      unit: '% of reads',
      better: 'more',
      quickRounds: 1,
      goal,
      ours: hitsOfPrefetching(source, path, entries, true),
      peers: { 'no warming': hitsOfPrefetching(source, path, entries, false) },
      check,
    }),
    ...(['precision', 'recall'] as const).flatMap(figure => {
      const limit = limits[figure]
      if (limit === undefined) return []
      return defineCase<PrefetchResult>({
        name: `warming: ${figure}, ${name}`,
        description:
          figure === 'precision'
            ? 'share of the keys loaded ahead that were read before they left'
            : 'share of the misses of a cache without warming that were spared',
        unit: `% of ${figure === 'precision' ? 'predictions' : 'misses'}`,
        better: 'more',
        quickRounds: 1,
        limit,
        ours: prefetchFigure(figure, source, path, entries),
        peers: {},
        check,
      })
    }),
  ]
})

export default defineSuite({
  name: 'tiers',
  description:
    'Stores, and caches in memory over them. The file systems and databases are real, in a temporary folder, and their pages are in memory. Peers have the second tier that is named: `bentocache` its file driver; `cacheable` and `cache-manager`, which take any Keyv adapter, `@keyv/sqlite` on the SQLite that comes with Node, in its write-ahead mode, and besides, so that the difference is what is above it, our own SQLite store. Each is told to write to it behind its callers if it can (`backgroundWrites`, `nonBlocking`).',
  versions: ['bentocache', 'cacheable', 'cache-manager', 'keyv-5', '@keyv/sqlite'],
  headline: /^(memory over a file, mixed|SQLite read|hit against the function)$/,
  cases: [
    defineCase<number>({
      name: 'SQLite read',
      description:
        '`get` of 1,000 values of 200 bytes, in turn, against `get` of a prepared statement',
      unit: 'us/op',
      goal: 1 / 1.5,
      ours: storeReads(sqliteStore),
      peers: { 'node:sqlite statement': storeReads(preparedStatement) },
      check: found => assert.equal(found, 1_000),
    }),
    defineCase<number>({
      name: 'file read',
      description: '`get` of 1,000 values of 4 kB, in turn, against `readFileSync`',
      unit: 'us/op',
      goal: 1 / 2,
      ours: storeReads(fsStore),
      peers: { readFileSync: storeReads(fsSync) },
      check: found => assert.equal(found, 1_000),
    }),
    defineCase<number>({
      name: 'hit in the first tier, awaited',
      description:
        '`getOrLoad` of 1,000 keys that are in memory, each awaited before the next; and a bare map of promises, below which no such verb can be',
      unit: 'ns CPU/op',
      inTurn: true,
      goal: { 'Cache getOrLoad': 1 / 1.3, 'bentocache getOrSet': 20 },
      ours: loadHit(millraceL1, true, 200),
      peers: {
        'Cache getOrLoad': loadHit(millraceLoad, true, 200),
        'bentocache getOrSet': loadHit(bentocacheLoad, true, 200),
        'Map of promises': loadHit(mapOfPromises, true, 200),
      },
      check: checkLoadHit,
    }),
    defineCase<number>({
      name: 'memory over a file, mixed',
      description:
        '95 % reads (loading what is missing), 4 % writes and 1 % removals of 5,000 keys by a Zipf law, 500 in memory',
      unit: 'us/op',
      goal: {
        'bentocache file': 3,
        'cacheable @keyv/sqlite': 3,
        'cache-manager @keyv/sqlite': 3,
        'cacheable on ours': 1,
        'cache-manager on ours': 1,
      },
      ours: mixed(millraceSqlite),
      peers: {
        'bentocache file': mixed(bentocacheFile),
        'cacheable @keyv/sqlite': mixed(cacheable(keyvOverTheirs)),
        'cache-manager @keyv/sqlite': mixed(cacheManager(keyvOverTheirs)),
        'cacheable on ours': mixed(cacheable(keyvOverOurs)),
        'cache-manager on ours': mixed(cacheManager(keyvOverOurs)),
      },
      check: checkMixed,
    }),
    defineCase<number>({
      name: '128 callers at once',
      description:
        '128 callers of the same key, which nobody has yet: one load, everybody gets it; per caller',
      unit: 'us/op',
      goal: { 'bentocache file': 1.5 },
      ours: atOnce(millraceSqlite),
      peers: { 'bentocache file': atOnce(bentocacheFile) },
      check: loads => assert.equal(loads, 1),
    }),
    defineCase<number>({
      name: 'cold start',
      description:
        'a new cache over a file that an earlier process filled: opened, and 1,000 values read; per value',
      unit: 'us/op',
      goal: { 'bentocache file': 3 },
      ours: coldStart(millraceSqlite),
      peers: { 'bentocache file': coldStart(bentocacheFile) },
      check: found => assert.equal(found, 1_000),
    }),
    defineCase<number>({
      name: 'under memory pressure',
      description:
        'reads and writes of a cache of 1,000 that gives way whenever it holds more than the 500 for which there is memory, looked at every ms, against one of 500',
      unit: 'ns/op',
      goal: 1 / 1.5,
      ours: underPressure(true),
      peers: { 'of the size that fits': underPressure(false) },
      check: entries => assert.ok(entries <= 1_000),
    }),
    defineCase<number>({
      name: '4 worker threads on one file',
      description:
        'each writes and reads back values of its own in one SQLite file; none is lost; per pair',
      unit: 'us/op',
      limit: 400,
      ours: sharedFile('threads', 4),
      peers: {},
      check: lost => assert.equal(lost, 0),
    }),
    defineCase<number>({
      name: '3 processes on one file',
      description: 'the same in processes of their own',
      unit: 'us/op',
      limit: 400,
      ours: sharedFile('processes', 3),
      peers: {},
      check: lost => assert.equal(lost, 0),
    }),
    defineCase<number>({
      name: 'hit against the function',
      description:
        'a memoized function that reads and parses a file of JSON, 50 kB, against the function itself',
      unit: 'us/op',
      goal: 90,
      ours: calls(parsedFile),
      peers: { 'the function': calls(uncached) },
      check: rows => assert.equal(rows, 500),
    }),
    ...warming,
  ],
})
