import type { HistogramSeries } from '../instrument/histogram-series.ts'
import type { Series } from '../instrument/series.ts'
import {
  type Distribution,
  distributionSince,
  emptyDistribution,
  merge,
  mergeAll,
} from '../store/distribution.ts'
import { FINEST_SCHEMA } from '../store/exponential.ts'

interface Block {
  readonly start: number
  end: number
  distribution: Distribution
}

const NOTHING = emptyDistribution(FINEST_SCHEMA)

/** What some histograms observed together, in blocks of time, oldest first, no longer than needed. */
export class DistributionHistory {
  readonly #width: number
  readonly #span: number
  readonly #blocks: Block[] = []
  #seen = new WeakMap<Series, { begun: number; distribution: Distribution }>()
  #last: number | undefined
  /** How many blocks were begun so far: while it stands still, no complete block has changed. */
  begun = 0

  /**
   * @param width ms of a block
   * @param span ms to remember
   */
  constructor(width: number, span: number) {
    this.#width = width
    this.#span = span
  }

  /** Adds what `series` observed since the last call, stopping after each so that the caller can let others run. */
  *read(series: readonly Series[], now: number): Generator<void> {
    let delta: Distribution = NOTHING
    for (const one of series) {
      if (one.type !== 'histogram') continue
      const change = this.#change(one as HistogramSeries)
      if (change !== undefined) delta = merge(delta, change)
      yield
    }
    const since = this.#last
    this.#last = now
    // What was observed before the first call has no time.
    if (since === undefined) return
    const open = this.#blocks.at(-1)
    if (open === undefined || now - open.start > this.#width) {
      this.#blocks.push({ start: since, end: now, distribution: delta })
      this.begun++
    } else {
      open.end = now
      open.distribution = merge(open.distribution, delta)
    }
    while (this.#blocks.length > 0 && this.#blocks[0]!.end <= now - this.#span) this.#blocks.shift()
  }

  #change(series: HistogramSeries): Distribution | undefined {
    const before = this.#seen.get(series)
    const known = before?.begun === series.begun ? before.distribution : NOTHING
    if (series.count === known.count) return undefined
    const distribution = series.distribution()
    this.#seen.set(series, { begun: series.begun, distribution })
    return distributionSince(distribution, known)
  }

  /** The blocks that ended after `from`. */
  since(from: number): Distribution[] {
    const first = this.#blocks.findLastIndex(({ end }) => end <= from) + 1
    return this.#blocks.slice(first).map(({ distribution }) => distribution)
  }

  /**
   * What ended up to `until`, in pieces of `width` ms backwards from there, the oldest first. A piece that is not complete is left out.
   * Stops after each, as {@link read} does after each series.
   */
  *pieces(until: number, width: number): Generator<void, Distribution[]> {
    const parts: Distribution[][] = []
    for (const { end, distribution } of this.#blocks) {
      if (end > until) break
      const index = Math.floor((until - end) / width)
      ;(parts[index] ??= []).push(distribution)
    }
    const start = this.#blocks[0]?.start ?? until
    const complete = Math.floor((until - start + this.#width / 2) / width)
    const pieces: Distribution[] = []
    for (let index = Math.min(complete, parts.length) - 1; index >= 0; index--) {
      // Time in which nothing was read is a hole.
      const part = parts[index]
      if (part === undefined) pieces.length++
      else pieces.push(mergeAll(part))
      yield
    }
    return pieces
  }
}
