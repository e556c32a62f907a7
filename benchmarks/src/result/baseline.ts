import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { Row } from './row.ts'

const baselineFile: URL = new URL('../../baseline.json', import.meta.url)

/** Ratios by `suite / case / peer`. */
export type Baseline = Readonly<Record<string, number>>

/** How much of a ratio may be lost before it counts as a drop. */
export const tolerance = 0.1

/** Units whose ratios mean nothing beyond their goal: an error of 0.01 % is not twice as good as one of 0.02 %. */
const unsteadyUnits: ReadonlySet<string> = new Set(['% error'])

export interface Drop {
  readonly key: string
  readonly before: number
  readonly now: number
  readonly row: Row
}

const keyOf = (row: Row): string => `${row.suite} / ${row.case} / ${row.peerName}`

export function readBaseline(file: URL = baselineFile): Baseline {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Baseline) : {}
}

/** Records the ratios of these rows and keeps those of the others, sorted by key. */
export function updateBaseline(rows: readonly Row[], file: URL = baselineFile): void {
  const merged: Record<string, number> = { ...readBaseline(file) }
  for (const row of rows) {
    if (!unsteadyUnits.has(row.unit)) merged[keyOf(row)] = Number(row.ratio.toPrecision(4))
  }
  const sorted = Object.fromEntries(
    Object.entries(merged).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
  )
  writeFileSync(file, `${JSON.stringify(sorted, null, 2)}\n`)
}

/** The rows whose ratio fell by more than the tolerance; rows that the baseline does not know are no drop. */
export function findDrops(rows: readonly Row[], baseline: Baseline): Drop[] {
  return rows.flatMap(row => {
    const before = baseline[keyOf(row)]
    return before !== undefined && row.ratio < before * (1 - tolerance)
      ? [{ key: keyOf(row), before, now: row.ratio, row }]
      : []
  })
}
