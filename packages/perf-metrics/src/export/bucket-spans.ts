import type { Distribution } from '../store/distribution.ts'

/** A run of buckets: how many are left out before it, or for the first the index it begins at, and which they are. */
export interface BucketSpan {
  readonly offset: number
  /** Positions in the distribution's counts, the second exclusive. */
  readonly from: number
  readonly to: number
}

/** Empty buckets between two used ones up to which one span is shorter than two. */
const GAP = 2

/** The used stretches of a distribution's buckets, with short gaps bridged, as Prometheus describes native histograms. */
export function bucketSpans({ counts, low }: Distribution): BucketSpan[] {
  const spans: { offset: number; from: number; to: number }[] = []
  for (let i = 0; i < counts.length; i++) {
    if (counts[i] === 0) continue
    const last = spans.at(-1)
    if (last !== undefined && i - last.to <= GAP) last.to = i + 1
    else spans.push({ offset: last === undefined ? low + i : i - last.to, from: i, to: i + 1 })
  }
  return spans
}
