import { Series } from './series.ts'

/** A count that goes both ways: open connections, queued jobs. */
export interface UpDownCounter {
  /** Adds `amount` (default 1), which may be negative. `NaN` and infinities are dropped and counted. */
  inc(amount?: number): void
  /** Subtracts `amount` (default 1). */
  dec(amount?: number): void
  /** The current count. */
  readonly value: number
}

export class UpDownCounterSeries extends Series implements UpDownCounter {
  override readonly type = 'updown'
  #changes = 0

  inc(amount = 1): void {
    if (amount > -Infinity && amount < Infinity) {
      this.cells[this.at]! += amount
      this.#changes++
    } else this.reject()
  }

  dec(amount = 1): void {
    this.inc(-amount)
  }

  get value(): number {
    return this.cells[this.at]!
  }

  override mark(): number {
    return this.#changes
  }

  override reset(): void {
    this.cells[this.at] = 0
  }
}
