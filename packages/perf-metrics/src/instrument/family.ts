import { LabelError } from '../errors.ts'
import { LabelIndex, type LabelProblem, type Labels, readValues } from '../labels/label-index.ts'
import type { FamilyDescription } from '../metric/family-description.ts'
import type { Cells } from '../store/cells.ts'
import type { Timeline } from '../time/timeline.ts'
import type { Series } from './series.ts'

/** The label values of the series that takes what a full metric has no room for. */
const OVERFLOW_VALUE = '__overflow__'

/** Makes and unmakes the series of one family. */
export interface SeriesFactory<S extends Series> {
  /** @param description the metric's, for cells that must be found again */
  create(labelValues: readonly string[], description?: FamilyDescription): S
  /** Told of every series that is exported. */
  announce(description: FamilyDescription, series: S): void
  /** Takes everything back from a series without a holder. */
  destroy(series: S): void
  /** Takes back what a series needs only while it counts. */
  rest(series: S): void
  /** Whether cells can be taken back at all. */
  readonly reclaims: boolean
  /** Takes back the cells of a series that is gone. */
  reclaim(block: Cells): void
  readonly timeline: Timeline
}

/** A metric: its description, and its series by label values. */
export class Family<S extends Series = Series> {
  /** Caches of the exporters. */
  text: unknown = undefined
  /** Observations that went to the overflow series, and bindings that did. */
  overflowed = 0
  /** Updates that came with a wrong label object. */
  mislabelled = 0
  /** Updates refused by series that are gone. */
  #rejectedBefore = 0
  #description: FamilyDescription
  readonly #factory: SeriesFactory<S>
  readonly #series = new Set<S>()
  readonly #index: LabelIndex<S>
  /** Expired series that a caller may still hold: found again by their labels, and revived when they change. */
  readonly #dormant = new Map<string, Dormant<S>>()
  #overflow: S | undefined
  #refused: S | undefined

  constructor(description: FamilyDescription, factory: SeriesFactory<S>) {
    this.#description = description
    this.#factory = factory
    this.#index = new LabelIndex(description.labelNames, {
      resolve: values => this.#resolve(values),
      refuse: () => {
        this.mislabelled++
        return (this.#refused ??= this.#factory.create([]))
      },
    })
    // A metric without labels has exactly one series, and it is exported from the start, as zero.
    if (description.labelNames.length === 0) this.#add(this.#create([]))
  }

  get description(): FamilyDescription {
    return this.#description
  }

  #create(values: readonly string[]): S {
    return this.#factory.create(values, this.description)
  }

  /** The series are the durations of a timing, whose failures are counted by another metric. */
  markTiming(failures: string): void {
    if (this.#description.failures === undefined) {
      this.#description = { ...this.#description, failures }
    }
  }

  /** The series in order of creation. */
  series(): Iterable<S> {
    return this.#series
  }

  get size(): number {
    return this.#series.size
  }

  /** The one series of a metric without labels. */
  get only(): S {
    const [series] = this.#series
    series!.handed = true
    return series!
  }

  /** The series of `labels`, for one update. A wrong label object is counted, not thrown. */
  find(labels: Labels): S {
    return this.#index.find(labels)
  }

  /** @throws LabelError on a missing, surplus or unusable label */
  bind(labels: Labels): S {
    const { series } = this.#resolve(this.#values(labels))
    series.handed = true
    return series
  }

  #values(labels: Labels): readonly string[] {
    const values = readValues(this.description.labelNames, labels)
    if (isValues(values)) return values
    throw new LabelError(this.description.name, values.label, values.problem)
  }

  /** As {@link expire}, by labels. Returns whether there was such a series, and it is gone. @throws LabelError */
  remove(labels: Labels): boolean {
    const series = this.#index.get(this.#values(labels))
    if (series === undefined || series === this.#overflow || !this.#factory.reclaims) return false
    this.expire(series)
    return true
  }

  /** As {@link expire}, where cells can be taken back. */
  drop(series: S): void {
    if (this.#factory.reclaims) this.expire(series)
  }

  /** The series of these label values, if there is one. */
  peek(values: readonly string[]): S | undefined {
    if (values.length > 0) return this.#index.get(values)
    const [only] = this.#series
    return only
  }

  /** The series of label values read elsewhere, in the order of the label names. */
  resolve(values: readonly string[]): S {
    return values.length === 0 ? this.only : this.#resolve(values).series
  }

  #resolve(values: readonly string[]): { series: S; cacheable: boolean } {
    const found = this.#index.get(values)
    if (found !== undefined) return { series: found, cacheable: true }
    const revived = this.#wake(values)
    if (revived !== undefined) return { series: revived, cacheable: true }
    const own = this.#series.size - (this.#overflow === undefined ? 0 : 1)
    if (own >= this.description.maxSeries) {
      this.overflowed++
      this.#overflow ??= this.#add(this.#create(values.map(() => OVERFLOW_VALUE)))
      return { series: this.#overflow, cacheable: false }
    }
    return { series: this.#add(this.#create(values)), cacheable: true }
  }

  #add(series: S): S {
    this.#series.add(series)
    this.#factory.announce(this.description, series)
    if (series.labelValues.length > 0) this.#index.set(series.labelValues, series)
    return series
  }

  /** Updates dropped for their value. O(series). */
  get rejected(): number {
    let rejected = this.#rejectedBefore
    for (const series of this.#series) rejected += series.rejected
    return rejected
  }

  /**
   * Drops an idle series, unless it is the only one or takes the overflow. A handle to it stays valid: the next update
   * brings the series back, counting from zero with a new start time.
   */
  expire(series: S): void {
    if (this.description.labelNames.length === 0 || series === this.#overflow) return
    this.#series.delete(series)
    this.#index.delete(series.labelValues)
    this.#rejectedBefore += series.rejected
    series.rejected = 0
    series.text = undefined
    series.textBytes = undefined
    series.window = undefined
    if (!series.handed) {
      this.#factory.destroy(series)
      return
    }
    series.reset()
    this.#factory.rest(series)
    series.lastMark = series.mark()
    this.#dormant.set(JSON.stringify(series.labelValues), {
      ref: new WeakRef(series),
      block: series.block,
    })
  }

  /** Brings back the expired series that were updated through a handle. Called before every export. */
  wakeChanged(): void {
    for (const [key, { ref, block }] of this.#dormant) {
      const series = ref.deref()
      if (series === undefined) {
        this.#dormant.delete(key)
        this.#factory.reclaim(block)
      } else if (series.mark() !== series.lastMark) this.#wake(series.labelValues)
    }
  }

  #wake(values: readonly string[]): S | undefined {
    if (this.#dormant.size === 0) return undefined
    const key = JSON.stringify(values)
    const series = this.#dormant.get(key)?.ref.deref()
    if (series === undefined) return undefined
    this.#dormant.delete(key)
    series.begin(this.#factory.timeline)
    return this.#add(series)
  }
}

interface Dormant<S extends Series> {
  readonly ref: WeakRef<S>
  readonly block: Cells
}

function isValues(values: readonly string[] | LabelProblem): values is readonly string[] {
  return Array.isArray(values)
}
