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

export class GaugeSeries extends Series implements Gauge {
  override readonly type = 'gauge'
  /** The registry's coarse time: reading a clock here would cost ten times the rest. */
  readonly #time: Float64Array
  #changes = 0

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

  get value(): number {
    return this.cells[this.at + VALUE]!
  }

  get min(): number {
    return this.lastUpdate === 0 ? NaN : this.cells[this.at + MIN]!
  }

  get max(): number {
    return this.lastUpdate === 0 ? NaN : this.cells[this.at + MAX]!
  }

  get lastUpdate(): number {
    return this.cells[this.at + UPDATED]!
  }

  override mark(): number {
    return this.#changes
  }

  override reset(): void {
    this.cells.fill(0, this.at, this.at + GAUGE_CELLS)
  }
}
