import { Series } from './series.ts'

/** A count that goes both ways: open connections, queued jobs. */
export interface UpDownCounter {
  /** Adds `amount` (default 1), which may be negative. Infinities and what is no number are dropped and counted. */
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
    if (typeof amount === 'number') {
      const count = this.cells[this.at]! + amount
      if (count > -Infinity && count < Infinity) {
        this.cells[this.at] = count
        this.#changes++
        return
      }
    }
    this.reject()
  }

  dec(amount = 1): void {
    // A string or null would become a number by the minus.
    if (typeof amount === 'number') this.inc(-amount)
    else this.reject()
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
