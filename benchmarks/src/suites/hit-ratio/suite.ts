import { defineSuite } from '../../define.ts'
import { catalogue, findTrace, loadTrace } from './traces/catalogue.ts'
import { makeTrace, synthetic } from './traces/synthetic.ts'

export default defineSuite({
  name: 'hit-ratio',
  description:
    'Recorded traces replayed over every policy at fixed capacities in entries. Ours run through the real `Cache` (`get`, and `set` on a miss), which hashes keys with a seed of its own: figures move by some hundredths from run to run. The references are deterministic, were written for this suite and agree with published figures: LRU, SIEVE and S3-FIFO with the exact miss counts of libCacheSim, ARC with the FAST 2003 paper. A short run leaves out the traces of more than a million reads. A second table has synthetic streams on which nothing was tuned.',
  versions: [],
  headline: / over \d+ cells$/,
  async run({ quick, flags, wanted, progress }) {
    // Imported here, as every process that loads the suites would otherwise load the cache.
    const { measureCell } = await import('./cells.ts')
    const { assertAsPublished, oracleTrace } = await import('./policies/oracle.ts')
    const { findings, syntheticFindings, tables } = await import('./report.ts')
    const cells = []
    const missing: string[] = []
    for (const source of catalogue) {
      if ((quick && source.long) || !wanted(source.name)) continue
      const path = findTrace(source, flags.traces)
      if (path === undefined) {
        missing.push(source.name)
        continue
      }
      progress(`hit-ratio: loading ${source.name}`)
      const trace = await loadTrace(source, path)
      if (trace.name === oracleTrace) assertAsPublished(trace)
      for (const capacity of source.capacities) {
        progress(`hit-ratio: ${source.name} @${capacity}`)
        cells.push(measureCell(trace, capacity))
      }
    }
    const streams = []
    for (const stream of synthetic.filter(({ name }) => wanted(name))) {
      const trace = makeTrace(stream)
      for (const capacity of stream.capacities) {
        progress(`hit-ratio: ${stream.name} @${capacity}`)
        streams.push(measureCell(trace, capacity))
      }
    }
    if (cells.length + streams.length === 0) throw new Error('No trace was found or wanted')
    const note = missing.length > 0 ? `Not found and left out: ${missing.join(', ')}.\n\n` : ''
    const parts = [note + tables(cells)]
    if (streams.length > 0) parts.push('## Synthetic streams, not tuned on', tables(streams))
    return {
      findings: [...findings(cells), ...syntheticFindings(streams)],
      details: parts.join('\n\n'),
    }
  },
})
