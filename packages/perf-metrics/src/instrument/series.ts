import type { MetricType } from '../metric/family-description.ts'
import type { Cells } from '../store/cells.ts'
import type { Timeline } from '../time/timeline.ts'

let rejections = 0

/** Updates refused by all series of this thread: while it stands still, no series need be asked. */
export function allRejections(): number {
  return rejections
}

/**
 * One time series: a metric with one set of label values. It is also the handle that callers keep, so a look-up by
 * label ends here and an update is an addition in a typed array.
 */
export abstract class Series {
  abstract readonly type: MetricType
  /** The numbers' home. A page never moves, so holding it is safe. */
  protected readonly cells: Float64Array
  /** First cell of this series. */
  protected readonly at: number
  readonly block: Cells
  readonly labelValues: readonly string[]
  /** When counting started, in ms since 1970. A series that comes back after expiry starts anew. */
  created = 0
  /** The same on the registry's timeline. */
  begun = 0
  /** Updates refused for their value. */
  rejected = 0
  /** Whether a caller may hold this object, so that its cells cannot be given to another series. */
  handed = false
  /** Marks of the last look by the registry's clock tick: what it was then, and since when on the timeline. */
  lastMark = 0
  lastChange = 0
  /** Per-format caches, owned by the exporters and the windows. */
  text: unknown = undefined
  window: unknown = undefined
  // Where the lines kept by the text exporter are. Fields, as an object per series is what a first scrape would pause for
  // when it survives a garbage collection: 2 ms and more of 20,000 series.
  textBytes: Uint8Array | undefined = undefined
  textAt = 0
  textLength = 0
  textRoom = 0
  labelsLength = 0

  constructor(block: Cells, labelValues: readonly string[], timeline: Timeline) {
    this.block = block
    this.cells = block.array
    this.at = block.at
    this.labelValues = labelValues
    this.begin(timeline)
  }

  /** Counting starts now. */
  begin(timeline: Timeline): void {
    this.created = timeline.date()
    this.begun = timeline.now()
    this.lastChange = this.begun
  }

  /** Counts an update whose value is none. */
  protected reject(): void {
    this.rejected++
    rejections++
  }

  /** A number that differs whenever the series was updated in between. */
  abstract mark(): number

  /** Counts from zero again. */
  abstract reset(): void
}
