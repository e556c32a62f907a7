import type { TimingReport } from '../report/timing-report.ts'

/** Where the lines of the charts are at one moment. */
export interface ChartPoint {
  /** s since 1970. */
  readonly time: number
  /** s from any origin that never step back: what the charts are drawn over, as a clock may be set back. */
  readonly elapsed: number
  readonly rss: number
  readonly heapUsed: number
  /** Rates, shares and durations are `null` while the process starts, which would set the scale for all that follows. */
  readonly utilization: number | null
  readonly delayP99: number | null
  readonly calls: number | null
  readonly failures: number | null
  /** Which operation is the busiest of those that the charts are about, and its quantiles over the last minute. */
  readonly busiest: string | null
  readonly p50: number | null
  readonly p99: number | null
  /** Of all caches, over the last ten seconds. */
  readonly hitRatio: number | null
}

/** The points by line, oldest first; equal lengths. */
export type FrameHistory = { readonly [Line in keyof ChartPoint]: ChartPoint[Line][] }

/** Keeps the last points. */
export class ChartHistory {
  readonly #most: number
  readonly lines: FrameHistory = {
    time: [],
    elapsed: [],
    rss: [],
    heapUsed: [],
    utilization: [],
    delayP99: [],
    calls: [],
    failures: [],
    busiest: [],
    p50: [],
    p99: [],
    hitRatio: [],
  }

  constructor(most: number) {
    this.#most = most
  }

  add(point: ChartPoint): void {
    for (const [name, line] of Object.entries(this.lines) as [keyof ChartPoint, unknown[]][]) {
      line.push(point[name])
      if (line.length > this.#most) line.shift()
    }
  }
}

/** An operation as a line of text. */
export function operationName({ name, labels }: TimingReport): string {
  // An empty label says nothing.
  const said = Object.entries(labels).filter(([, value]) => value !== '')
  return [name, ...said.map(([label, value]) => `${label}=${value}`)].join(' ')
}
