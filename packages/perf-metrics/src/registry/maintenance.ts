import { startSlices } from '../time/slices.ts'
import type { Timeline } from '../time/timeline.ts'
import { FRAME, ringOf } from '../window/window-ring.ts'
import type { Catalog } from './catalog.ts'
import { TICK } from './ticker.ts'

export interface MaintenanceOptions {
  readonly catalog: Catalog
  readonly timeline: Timeline
  /** ms after which an idle series goes; `Infinity` for never. */
  readonly retention: number
  readonly windows: boolean
}

const TICKS_PER_FRAME = FRAME / TICK
/** Between two ticks of a process that is awake, in ms. */
const LONGEST_TICK = 5 * TICK

/**
 * What a registry does once a second: lets windows move on, and idle series go. In slices of half a millisecond, so that 100,000 series
 * do not hold up the event loop.
 */
export class Maintenance {
  readonly #options: MaintenanceOptions
  #underWay = false
  #ticks = 0
  #lastTick: number
  /** ms that the process was asleep or blocked. */
  #absent = 0

  constructor(options: MaintenanceOptions) {
    this.#options = options
    this.#lastTick = options.timeline.now()
  }

  /** Begins a round, unless the last one is not finished. */
  tick(): void {
    if (this.#underWay) return
    this.#underWay = true
    const { timeline } = this.#options
    const now = timeline.now()
    // A process that was asleep or blocked was not there to update anything: that time makes no series idle.
    this.#absent += Math.max(0, now - this.#lastTick - LONGEST_TICK)
    this.#lastTick = now
    startSlices(this.#work(), timeline, () => {
      this.#underWay = false
    })
  }

  *#work(): Generator<void> {
    const { retention, windows } = this.#options
    if (retention < Infinity) yield* this.#expire()
    if (windows) yield* this.#advanceWindows()
  }

  *#expire(): Generator<void> {
    const { catalog, timeline, retention } = this.#options
    for (const family of catalog.families()) {
      family.wakeChanged()
      for (const series of family.series()) {
        const mark = series.mark()
        const now = timeline.now() - this.#absent
        if (mark !== series.lastMark) {
          series.lastMark = mark
          series.lastChange = now
        } else if (series.lastChange <= now - retention) family.expire(series)
        yield
      }
    }
  }

  /** A tenth of all series per round, as a look at a busy histogram takes microseconds. */
  *#advanceWindows(): Generator<void> {
    const { catalog, timeline } = this.#options
    let turn = this.#ticks++ % TICKS_PER_FRAME
    for (const family of catalog.families()) {
      for (const series of family.series()) {
        if (turn++ % TICKS_PER_FRAME !== 0) continue
        const now = timeline.now()
        ringOf(series, now)?.advance(now)
        yield
      }
    }
  }
}
