import type { Cells } from '../store/cells.ts'
import type { Timeline } from '../time/timeline.ts'
import { ExemplarReservoir, type ExemplarSource } from './exemplars.ts'
import { Series } from './series.ts'

/** A number that only goes up: requests served, bytes sent. */
export interface Counter {
  /**
   * Adds `amount` (default 1). O(1), no allocation. What is negative or no number, or makes the count infinite, is dropped and counted in
   * `millrace_metrics_rejected_total`.
   */
  inc(amount?: number): void
  /**
   * Takes over a total that something else counts, such as the CPU time of the process. A total below the last one
   * means that the other side started again: it is added in full.
   */
  observeTotal(total: number): void
  /** The current count. */
  readonly value: number
}

export class CounterSeries extends Series implements Counter {
  override readonly type = 'counter'
  /** Its example, where the registry asks for them. */
  readonly exemplars: ExemplarReservoir | undefined = undefined
  #seen = 0

  inc(amount = 1): void {
    if (typeof amount === 'number' && amount >= 0) {
      const total = this.cells[this.at]! + amount
      if (total < Infinity) {
        this.cells[this.at] = total
        return
      }
    }
    this.reject()
  }

  observeTotal(total: number): void {
    if (!(typeof total === 'number' && total >= 0 && total < Infinity)) {
      this.reject()
      return
    }
    const grown = total >= this.#seen ? total - this.#seen : total
    this.#seen = total
    // Of this class: a total that something else counts has no span that it belongs to.
    CounterSeries.prototype.inc.call(this, grown)
  }

  /** Adds what was counted elsewhere: there is no span here that it belongs to. */
  absorb(amount: number): void {
    this.cells[this.at]! += amount
  }

  get value(): number {
    return this.cells[this.at]!
  }

  override mark(): number {
    return this.cells[this.at]!
  }

  override reset(): void {
    this.cells[this.at] = 0
  }
}

const ANY_AMOUNT = Float64Array.of(Infinity)

/** A counter that keeps an example. A class of its own, so that no other counter has to ask whether it does. */
export class ExemplarCounterSeries extends CounterSeries {
  override readonly exemplars: ExemplarReservoir

  constructor(
    block: Cells,
    labelValues: readonly string[],
    timeline: Timeline,
    source: ExemplarSource,
  ) {
    super(block, labelValues, timeline)
    this.exemplars = new ExemplarReservoir(ANY_AMOUNT, source)
  }

  override inc(amount = 1): void {
    const before = this.cells[this.at]!
    super.inc(amount)
    if (this.cells[this.at]! > before) this.exemplars.record(amount)
  }

  override reset(): void {
    super.reset()
    this.exemplars.clear()
  }
}
