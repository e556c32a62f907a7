import { beladyHits } from './policies/belady.ts'
import { ours } from './policies/ours.ts'
import { references } from './policies/references.ts'
import { replay } from './replay.ts'
import type { Trace } from './traces/trace.ts'

/** Hit ratios in per cent of every policy on one trace at one capacity. */
export interface Cell {
  readonly name: string
  readonly ours: ReadonlyMap<string, number>
  readonly references: ReadonlyMap<string, number>
  readonly belady: number
}

export function measureCell(trace: Trace, capacity: number): Cell {
  const options = { capacity, distinct: trace.distinct }
  const percent = (hits: number) => (100 * hits) / trace.ids.length
  const run = (policies: typeof references) =>
    new Map(
      Object.entries(policies).map(([name, create]) => [
        name,
        percent(replay(trace, create(options))),
      ]),
    )
  const cell = {
    name: `${trace.name} @${capacity}`,
    ours: run(ours),
    references: run(references),
    belady: percent(beladyHits(trace.ids, trace.distinct, capacity)),
  }
  assertPlausible(cell)
  return cell
}

/** No policy beats the one that knows the future, and LRU is LRU whoever implements it. */
export function assertPlausible({ name, ours: own, references: others, belady }: Cell): void {
  for (const [policy, ratio] of [...own, ...others]) {
    if (ratio > belady + 1e-9)
      throw new Error(`${name}: ${policy} hits ${ratio} %, Belady ${belady} %`)
  }
  const [lru, reference] = [own.get('lru'), others.get('LRU')]
  if (lru !== reference)
    throw new Error(`${name}: our lru hits ${lru} %, the reference LRU ${reference} %`)
}

/** Name and hit ratio of the best reference policy of a cell. */
export function bestReference({ references: others }: Cell): [name: string, ratio: number] {
  return [...others].reduce((best, next) => (next[1] > best[1] ? next : best))
}

export interface Regret {
  /** Mean and worst distance to the best reference in percentage points; negative = better than all of them. */
  readonly mean: number
  readonly worst: number
  /** Largest distance below LRU in percentage points, and the number of cells with more than 1. */
  readonly belowLru: number
  readonly cellsBelowLru: number
  readonly meanHitRatio: number
}

/** What a policy gives away over all cells against the best reference of each. */
export function regretOf(cells: readonly Cell[], ratioIn: (cell: Cell) => number): Regret {
  const gaps = cells.map(cell => bestReference(cell)[1] - ratioIn(cell))
  const belowLru = cells.map(cell => cell.references.get('LRU')! - ratioIn(cell))
  return {
    mean: sum(gaps) / cells.length,
    worst: Math.max(...gaps),
    belowLru: Math.max(...belowLru),
    cellsBelowLru: belowLru.filter(points => points > 1).length,
    meanHitRatio: sum(cells.map(ratioIn)) / cells.length,
  }
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
