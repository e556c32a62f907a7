import type { Aggregation } from '../metric/family-description.ts'
import type { Cells } from '../store/cells.ts'
import type { Timeline } from '../time/timeline.ts'
import { Series } from './series.ts'

/** A value that is what it is at the moment: a temperature, a queue's length, bytes in use. */
export interface Gauge {
  /** Sets the value. What is no number is dropped and counted; infinities are values. */
  set(value: number): void
  inc(amount?: number): void
  dec(amount?: number): void
  /** The value last set; 0 before the first. */
  readonly value: number
  /** Smallest value since the start, `NaN` before the first. */
  readonly min: number
  /** Largest value since the start, `NaN` before the first. */
  readonly max: number
  /** When it was last set, in milliseconds since the epoch, to the registry's clock tick (1 s); 0 before the first. */
  readonly lastUpdate: number
}

const VALUE = 0
const MIN = 1
const MAX = 2
const UPDATED = 3
export const GAUGE_CELLS = 4

/** Whether the gauge in these cells has a value, read without the series: from another thread. */
export function wasSet(cells: Float64Array, at: number): boolean {
  return cells[at + UPDATED] !== 0
}

/** What other threads and processes tell of a gauge. */
interface Told {
  readonly aggregate: Aggregation
  /** By who told it, in order of arrival. */
  readonly values: Map<object, number>
  min: number
  max: number
  updated: number
  /** How often the gauge had been set here when something was told last. */
  after: number
}

export class GaugeSeries extends Series implements Gauge {
  override readonly type = 'gauge'
  /** The registry's coarse time: reading a clock here would cost ten times the rest. */
  readonly #time: Float64Array
  /** How often it was set here. */
  #changes = 0
  /** How often it changed elsewhere. */
  #tellings = 0
  #told: Told | undefined

  constructor(
    block: Cells,
    labelValues: readonly string[],
    timeline: Timeline,
    coarseTime: Float64Array,
  ) {
    super(block, labelValues, timeline)
    this.#time = coarseTime
  }

  set(value: number): void {
    const { cells, at } = this
    // biome-ignore lint/suspicious/noSelfCompare: the cheapest test for NaN
    if (typeof value !== 'number' || value !== value) {
      this.reject()
      return
    }
    if (cells[at + UPDATED] === 0) {
      cells[at + MIN] = value
      cells[at + MAX] = value
    } else if (value < cells[at + MIN]!) cells[at + MIN] = value
    else if (value > cells[at + MAX]!) cells[at + MAX] = value
    cells[at] = value
    cells[at + UPDATED] = this.#time[0]!
    this.#changes++
  }

  inc(amount = 1): void {
    this.set(typeof amount === 'number' ? this.cells[this.at]! + amount : NaN)
  }

  dec(amount = 1): void {
    this.set(typeof amount === 'number' ? this.cells[this.at]! - amount : NaN)
  }

  /**
   * What another thread or process has set it to, beside what is set here; `undefined` once it is gone. Without any of the two the gauge
   * is as before it was first set.
   */
  contribute(source: object, value: number | undefined, aggregate: Aggregation): void {
    if (this.#told?.values.get(source) === value) return
    const told = (this.#told ??= untold(aggregate))
    told.values.delete(source)
    this.#tellings++
    told.updated = this.#time[0]!
    if (value !== undefined) {
      told.values.set(source, value)
      told.after = this.#changes
    }
    if (told.values.size === 0) {
      this.#told = undefined
      return
    }
    const now = this.value
    if (!(now >= told.min)) told.min = now
    if (!(now <= told.max)) told.max = now
  }

  /** Whether it has a value at all. */
  get isSet(): boolean {
    return this.#told !== undefined || this.#own !== 0
  }

  /** When it was last set here. */
  get #own(): number {
    return this.cells[this.at + UPDATED]!
  }

  get value(): number {
    const own = this.cells[this.at + VALUE]!
    const told = this.#told
    if (told === undefined) return own
    const values = [...told.values.values()]
    if (this.#own === 0) return combined(values, told.aggregate)
    // What was set here since then is the last.
    return combined(
      this.#changes > told.after ? [...values, own] : [own, ...values],
      told.aggregate,
    )
  }

  get min(): number {
    const told = this.#told
    if (told !== undefined) return Math.min(told.min, this.value)
    return this.#own === 0 ? NaN : this.cells[this.at + MIN]!
  }

  get max(): number {
    const told = this.#told
    if (told !== undefined) return Math.max(told.max, this.value)
    return this.#own === 0 ? NaN : this.cells[this.at + MAX]!
  }

  get lastUpdate(): number {
    return Math.max(this.#own, this.#told?.updated ?? 0)
  }

  override mark(): number {
    return this.#changes + this.#tellings
  }

  override reset(): void {
    this.cells.fill(0, this.at, this.at + GAUGE_CELLS)
    this.#told = undefined
  }
}

function untold(aggregate: Aggregation): Told {
  return { aggregate, values: new Map(), min: NaN, max: NaN, updated: 0, after: 0 }
}

function combined(values: readonly number[], aggregate: Aggregation): number {
  switch (aggregate) {
    case 'sum':
      return values.reduce((sum, value) => sum + value, 0)
    case 'min':
      return Math.min(...values)
    case 'max':
      return Math.max(...values)
    case 'last':
      return values.at(-1)!
  }
}
