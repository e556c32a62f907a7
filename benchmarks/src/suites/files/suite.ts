import assert from 'node:assert/strict'
import { defineCase, defineSuite, type Prepare } from '../../define.ts'
import { analysisTree } from './analysis-tree.ts'
import { count, sourceTree } from './tree.ts'

const verify = () => import('./contenders/verify.ts')
const rewriting = () => import('./contenders/rewrites.ts')
const incremental = () => import('./contenders/incremental.ts')
const analysis = () => import('./contenders/analysis.ts')
const edits = () => import('./contenders/edits.ts')

/** Loads a module of contenders in the child that measures it, and picks one. */
function from<M, R>(load: () => Promise<M>, pick: (module: M) => Prepare<R>): Prepare<R> {
  return async context => pick(await load())(context)
}

const rewrites = 500

export default defineSuite({
  name: 'files',
  description:
    'Real files on the disk of the machine, in its page cache. Each figure is the median of the rounds (5; 1 to 3 with `--quick`), each in a process of ' +
    'its own, ours and the peers in turn.',
  versions: ['file-entry-cache'],
  headline: /^no-op run/,
  cases: [
    defineCase<number>({
      name: 'no-op run over 10,000 files',
      description:
        'per file of a run that finds nothing changed: load what the last run saved, check every file, save what is new (`reconcile` always writes)',
      unit: 'us/op',
      goal: 6,
      fixture: sourceTree,
      quickRounds: 2,
      ours: from(verify, module => module.fileTableRun),
      peers: {
        'file-entry-cache mtime': from(verify, module => module.byTimeRun),
        'file-entry-cache checksum': from(verify, module => module.byChecksumRun),
      },
      check: same => assert.equal(same, count),
    }),
    defineCase<number>({
      name: 'verify 10,000 unchanged files',
      description:
        'per file in one process: is it the same as before? `statSync` alone is the floor; file-entry-cache compares mtime in ms and size, or an MD5',
      unit: 'us/op',
      goal: { 'fs.statSync': 0.6 },
      fixture: sourceTree,
      quickRounds: 2,
      ours: from(verify, module => module.fileTable),
      peers: {
        'file-entry-cache mtime': from(verify, module => module.byTime),
        'file-entry-cache checksum': from(verify, module => module.byChecksum),
        'fs.statSync': from(verify, module => module.bareStat),
      },
      check: same => assert.equal(same, count),
    }),
    defineCase<number>({
      name: 'no-op run over 10,000 watched files',
      description:
        'per file, with a watcher that has settled: no file is looked at; file-entry-cache as in the first case',
      unit: 'us/op',
      goal: 50,
      fixture: sourceTree,
      quickRounds: 2,
      ours: from(incremental, module => module.watched),
      peers: { 'file-entry-cache mtime': from(verify, module => module.byTimeRun) },
      check: same => assert.equal(same, count),
    }),
    defineCase<number>({
      name: 'edit to answer in 10,000 files, p95',
      description:
        'from the save of one file to the answer of a query over all of them, watched, after edits in which the code is compiled; the peer reads all of them again',
      unit: 'ms',
      better: 'less',
      limit: 10,
      fixture: sourceTree,
      quickRounds: 2,
      ours: from(incremental, module => module.graphAnswer),
      peers: { 'from scratch': from(incremental, module => module.scratchAnswer) },
      check: wrong => assert.equal(wrong, 0),
    }),
    defineCase<number>({
      name: 'warm start of an analysis',
      description:
        "the demo's facts of the sources of seven packages, by a process that finds what another one kept; opening and closing the caches included",
      unit: 'ms',
      better: 'less',
      goal: 10,
      fixture: analysisTree,
      ours: from(analysis, module => module.warm),
      peers: { 'cold, with caching': from(analysis, module => module.cold) },
      check: imports => assert.ok(imports > 0),
    }),
    defineCase<number>({
      name: 'cold run of an analysis',
      description: 'the same with an empty cache; the peer has none',
      unit: 'ms',
      better: 'less',
      goal: 1 / 1.15,
      fixture: analysisTree,
      // One run of the peer takes up to a third more than another: that of three may be any of them.
      quickRounds: 9,
      ours: from(analysis, module => module.cold),
      peers: { 'no cache': from(analysis, module => module.uncached) },
      check: imports => assert.ok(imports > 0),
    }),
    defineCase<number>({
      name: 'repeated look-ups of parsed files',
      description:
        'per look-up of the facts of a file that has not changed; the peer reads and parses',
      unit: 'us/op',
      goal: 100,
      fixture: analysisTree,
      quickRounds: 2,
      ours: from(analysis, module => module.lookUps),
      peers: { parsing: from(analysis, module => module.parsing) },
      check: imports => assert.ok(imports > 0),
    }),
    defineCase<number>({
      name: 'results computed after a comment-only edit',
      description: 'of one of 10,000 files, each of which sees the exported names of the next',
      unit: 'results',
      better: 'less',
      limit: 1,
      fixture: sourceTree,
      // Counted, so that every round gives the same.
      quickRounds: 1,
      ours: from(edits, module => module.comment),
      peers: { 'from scratch': from(edits, module => module.everything) },
      check: (seen, contender) => assert.equal(seen, contender === 'ours' ? 0 : -1),
    }),
    defineCase<number>({
      name: 'results computed after an edit of an export',
      description: 'the same: its own names, what it sees, and what the one that imports it sees',
      unit: 'results',
      better: 'less',
      limit: 3,
      fixture: sourceTree,
      // Counted, so that every round gives the same.
      quickRounds: 1,
      ours: from(edits, module => module.exporting),
      peers: { 'from scratch': from(edits, module => module.everything) },
      check: (seen, contender) => assert.equal(seen, contender === 'ours' ? 2 : -1),
    }),
    defineCase<number>({
      name: 'disk after 200 rounds of edits and builds',
      description: 'bytes of the cache folder, as many times those after 20 rounds',
      unit: 'times',
      better: 'less',
      limit: 1.2,
      quickRounds: 1,
      ours: from(edits, module => module.disk),
      peers: {},
      check: built => assert.equal(built, 300),
    }),
    defineCase<number>({
      name: 'rewrites noticed',
      description: 'of 500 rewrites of one file in a row, each of the same size',
      unit: 'of 500',
      better: 'more',
      // Counted, so that every round gives nearly the same.
      quickRounds: 1,
      ours: from(rewriting, module => module.fileTable),
      peers: { 'file-entry-cache mtime': from(rewriting, module => module.fileEntryCache) },
      check: (seen, contender) => {
        if (contender === 'ours') assert.equal(seen, rewrites)
        else assert.ok(seen > 0)
      },
    }),
  ],
})
