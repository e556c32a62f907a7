/** One comparison, as `--json` writes it. */
export interface Row {
  readonly suite: string
  readonly case: string
  readonly ours: number
  readonly peer: number
  readonly peerName: string
  readonly unit: string
  /** Above 1: ours is better. */
  readonly ratio: number
  /** The ratio to reach, where the design sets one. */
  readonly goal: number | null
}

/** A row with how far its rounds lay apart, as the stored results keep it. */
export interface MeasuredRow extends Row {
  /** Lowest and highest ratio of ours and the peer within one round. */
  readonly spread: readonly [number, number]
}

/** Figures of zero or less (a gap that became a gain) count as this little, so that a ratio stays a finite number. */
const least = 0.01

export function ratioOf(ours: number, peer: number, betterMore: boolean): number {
  const [upper, lower] = betterMore ? [ours, peer] : [peer, ours]
  return Math.max(upper, least) / Math.max(lower, least)
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function passes(row: Row): boolean | undefined {
  // Ratios are shown with two or three digits: what reads as the goal has reached it.
  return row.goal === null ? undefined : row.ratio >= row.goal * 0.9995
}

/** The contract of `--json`: exactly the documented fields. */
export function toJsonRow(row: Row): Row {
  const { suite, case: name, ours, peer, peerName, unit, ratio, goal } = row
  return { suite, case: name, ours, peer, peerName, unit, ratio, goal }
}
