import type { FamilyDescription } from '../metric/family-description.ts'
import type { Distribution } from '../store/distribution.ts'

/** Marks our messages among whatever else the processes tell each other. */
export const CHANNEL = 'millrace:metrics'

/** The changes of one process since its last message. Sent over the channel between a child process and its parent. */
export interface DeltaMessage {
  readonly channel: string
  /** Descriptions of the metrics that appear for the first time; the others are named by their number. */
  readonly families: readonly FamilyDescription[]
  readonly series: readonly SeriesDelta[]
}

export interface SeriesDelta {
  /** Number of the metric, in order of announcement by this process. */
  readonly family: number
  readonly labelValues: readonly string[]
  /** A change of a counter or up-down counter, the value of a gauge, or a histogram's new observations. */
  readonly value: number | HistogramDelta
}

export interface HistogramDelta {
  readonly distribution: Distribution
  readonly classic: readonly number[]
}

export function isDeltaMessage(message: unknown): message is DeltaMessage {
  return (
    typeof message === 'object' &&
    message !== null &&
    (message as { channel?: unknown }).channel === CHANNEL &&
    Array.isArray((message as DeltaMessage).families) &&
    Array.isArray((message as DeltaMessage).series)
  )
}
