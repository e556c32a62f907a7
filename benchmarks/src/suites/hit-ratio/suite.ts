import { defineSuite } from '../../define.ts'
import { catalogue, findTrace } from './traces/catalogue.ts'
import { fromTheMiddle, synthetic } from './traces/synthetic.ts'

/** Hash seeds of the default policy in a full and in a short run. */
const SEEDS = 10
const QUICK_SEEDS = 3

export default defineSuite({
  name: 'hit-ratio',
  description:
    'Recorded traces replayed over every policy at fixed capacities in entries. Ours run through the real `Cache` (`get`, and `set` on a miss), which hashes keys with a seed of its own: of the default, each cell is the mean of ten caches, of three in a short run. The references are deterministic, were written for this suite and agree with published figures: LRU, SIEVE and S3-FIFO with the exact miss counts of libCacheSim, ARC with the FAST 2003 paper. A short run leaves out the traces of more than a million reads. A second table has synthetic streams on which nothing was tuned.',
  versions: [],
  headline: / over \d+ cells$/,
  async run({ quick, flags, wanted, progress }) {
    // Imported here, as every process that loads the suites would otherwise load the cache.
    const { measureCells } = await import('./measure-cells.ts')
    const { findings, shortTable, syntheticFindings, tables } = await import('./report.ts')
    const asked = catalogue.filter(({ name, long }) => !(quick && long) && wanted(name))
    const traces = asked.map(source => ({ ...source, path: findTrace(source, flags.traces) }))
    const missing = traces.filter(({ path }) => path === undefined).map(({ name }) => name)
    const found = traces.filter(({ path }) => path !== undefined)
    const streams = [...synthetic, ...fromTheMiddle].filter(({ name }) => wanted(name))
    const requests = [...found, ...streams.map(stream => ({ ...stream, path: undefined }))]
    if (requests.length === 0) throw new Error('No trace was found or wanted')
    const measured = await measureCells(
      requests.map(({ name, path, capacities }) => ({ name, path, capacities })),
      { seeds: quick ? QUICK_SEEDS : SEEDS, progress },
    )
    const of = (some: readonly { readonly name: string }[]) =>
      measured.filter(cell => some.some(({ name }) => cell.name.startsWith(`${name} @`)))
    const [cells, synthetics, besides] = [of(found), of(synthetic), of(fromTheMiddle)]
    const note = missing.length > 0 ? `Not found and left out: ${missing.join(', ')}.\n\n` : ''
    const parts = (table: typeof tables) =>
      [
        note + table(cells),
        synthetics.length > 0 ? `${heading}\n\n${table(synthetics, besides)}` : '',
      ].filter(part => part !== '')
    return {
      findings: [...findings(cells), ...syntheticFindings(synthetics)],
      details: parts(tables).join('\n\n'),
      summary: parts(shortTable).join('\n\n'),
    }
  },
})

const heading = '### Synthetic streams, not tuned on'
