import { beladyHits } from './policies/belady.ts'
import { ourDefault, ours } from './policies/ours.ts'
import type { PolicyFactory } from './policies/policy.ts'
import { references } from './policies/references.ts'
import { replay } from './replay.ts'
import type { Trace } from './traces/trace.ts'

/** What of a cell is measured in one piece, so that the pieces of long traces can be shared among threads. */
export type CellPart = 'references' | 'ours' | 'seed'

/** Hit ratios in per cent by policy: of the references with Belady, of our policies, or of the default with another hash seed. */
export function measurePart(
  trace: Trace,
  capacity: number,
  part: CellPart,
): ReadonlyMap<string, number> {
  const options = { capacity, distinct: trace.distinct }
  const percent = (hits: number) => (100 * hits) / trace.ids.length
  const run = (policies: Readonly<Record<string, PolicyFactory>>) =>
    new Map(
      Object.entries(policies).map(([name, create]) => [
        name,
        percent(replay(trace, create(options))),
      ]),
    )
  if (part === 'ours') return run(ours)
  if (part === 'seed') return run({ [ourDefault]: ours[ourDefault] })
  return run(references).set(BELADY, percent(beladyHits(trace.ids, trace.distinct, capacity)))
}

/** The name of the optimum among the references of a part. */
export const BELADY = 'Belady'
