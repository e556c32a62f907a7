import { type Baseline, type Drop, findDrops } from './result/baseline.ts'
import type { Row } from './result/row.ts'

/** Runs the given cases of a suite, or all of it, and returns its rows. */
export type RunCases = (suite: string, cases?: ReadonlySet<string>) => Promise<readonly Row[]>

/**
 * Compares a run with the baseline. A drop counts only when a second run of that case shows it too: on a shared machine one
 * disturbed run is no evidence.
 *
 * @returns the drops that were seen twice, as the second run measured them
 */
export async function confirmedDrops(
  suites: readonly string[],
  baseline: Baseline,
  run: RunCases,
): Promise<Drop[]> {
  const confirmed: Drop[] = []
  for (const suite of suites) {
    const suspects = findDrops(await run(suite), baseline)
    if (suspects.length === 0) continue
    const keys = new Set(suspects.map(drop => drop.key))
    const again = findDrops(
      await run(suite, new Set(suspects.map(drop => drop.row.case))),
      baseline,
    )
    confirmed.push(...again.filter(drop => keys.has(drop.key)))
  }
  return confirmed
}
