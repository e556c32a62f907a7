import assert from 'node:assert/strict'
import { defineCase, defineSuite, type Prepare } from '../../define.ts'
import { count, sourceTree } from './tree.ts'

const verify = () => import('./contenders/verify.ts')
const rewriting = () => import('./contenders/rewrites.ts')
const incremental = () => import('./contenders/incremental.ts')

/** Loads a module of contenders in the child that measures it, and picks one. */
function from<M, R>(load: () => Promise<M>, pick: (module: M) => Prepare<R>): Prepare<R> {
  return async context => pick(await load())(context)
}

const rewrites = 500

export default defineSuite({
  name: 'files',
  description:
    'Real files on the disk of the machine, in its page cache. Each figure is the median of the rounds (5, or up to 3 with `--quick`), each in a process of ' +
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
      ours: from(incremental, module => module.watched),
      peers: { 'file-entry-cache mtime': from(verify, module => module.byTimeRun) },
      check: same => assert.equal(same, count),
    }),
    defineCase<number>({
      name: 'edit to answer in 10,000 files, p95',
      description:
        'from the save of one file to the answer of a query over all of them, watched; the peer reads all of them again',
      unit: 'ms',
      better: 'less',
      limit: 10,
      fixture: sourceTree,
      ours: from(incremental, module => module.graphAnswer),
      peers: { 'from scratch': from(incremental, module => module.scratchAnswer) },
      check: wrong => assert.equal(wrong, 0),
    }),
    defineCase<number>({
      name: 'rewrites noticed',
      description: 'of 500 rewrites of one file in a row, each of the same size',
      unit: 'of 500',
      better: 'more',
      ours: from(rewriting, module => module.fileTable),
      peers: { 'file-entry-cache mtime': from(rewriting, module => module.fileEntryCache) },
      check: (seen, contender) => {
        if (contender === 'ours') assert.equal(seen, rewrites)
        else assert.ok(seen > 0)
      },
    }),
  ],
})
