import type { Clock } from '../clock.ts'
import { startSlices } from '../slices.ts'
import { FRAME, ringOf } from '../window/window-ring.ts'
import type { Catalog } from './catalog.ts'
import { TICK } from './ticker.ts'

export interface UpkeepOptions {
  readonly catalog: Catalog
  readonly clock: Clock
  /** Milliseconds, for the length of a slice. */
  readonly stopwatch: () => number
  /** Milliseconds after which an idle series goes; `Infinity` for never. */
  readonly retention: number
  readonly windows: boolean
}

const TICKS_PER_FRAME = FRAME / TICK

/**
 * What a registry does once a second: lets windows move on, and idle series go. In slices of half a millisecond, so that 100,000 series
 * do not hold up the event loop.
 */
export class Upkeep {
  readonly #options: UpkeepOptions
  #underWay = false
  #ticks = 0

  constructor(options: UpkeepOptions) {
    this.#options = options
  }

  /** Begins a round, unless the last one is not finished. */
  tick(): void {
    if (this.#underWay) return
    this.#underWay = true
    const { stopwatch, clock } = this.#options
    startSlices(this.#work(), clock, stopwatch, () => {
      this.#underWay = false
    })
  }

  *#work(): Generator<void> {
    const { retention, windows } = this.#options
    if (retention < Infinity) yield* this.#expire()
    if (windows) yield* this.#advanceWindows()
  }

  *#expire(): Generator<void> {
    const { catalog, clock, retention } = this.#options
    for (const family of catalog.families()) {
      family.wakeChanged()
      for (const series of family.series()) {
        const mark = series.mark()
        if (mark !== series.lastMark) {
          series.lastMark = mark
          series.lastChange = clock.now()
        } else if (series.lastChange <= clock.now() - retention) family.expire(series)
        yield
      }
    }
  }

  /** A tenth of all series per round, as a look at a busy histogram takes microseconds. */
  *#advanceWindows(): Generator<void> {
    const { catalog, clock } = this.#options
    let turn = this.#ticks++ % TICKS_PER_FRAME
    for (const family of catalog.families()) {
      for (const series of family.series()) {
        if (turn++ % TICKS_PER_FRAME !== 0) continue
        const now = clock.now()
        ringOf(series, now)?.advance(now)
        yield
      }
    }
  }
}
