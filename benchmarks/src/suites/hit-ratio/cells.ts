/** Hit ratios in per cent of every policy on one stream of reads at one capacity. */
export interface Cell {
  readonly name: string
  /** Of our default policy the mean over the hash seeds, of the others with one seed. */
  readonly ours: ReadonlyMap<string, number>
  /** Of our default policy, one for each hash seed. */
  readonly seeds: readonly number[]
  readonly references: ReadonlyMap<string, number>
  readonly belady: number
}

/** No policy beats the one that knows the future, and LRU is LRU whoever implements it. */
export function assertPlausible({
  name,
  ours: own,
  seeds,
  references: others,
  belady,
}: Cell): void {
  const ofSeeds = seeds.map((ratio, seed) => [`the default with seed ${seed}`, ratio] as const)
  for (const [policy, ratio] of [...own, ...ofSeeds, ...others]) {
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
    mean: mean(gaps),
    worst: Math.max(...gaps),
    belowLru: Math.max(...belowLru),
    cellsBelowLru: belowLru.filter(points => points > 1).length,
    meanHitRatio: mean(cells.map(ratioIn)),
  }
}

export function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length
}
