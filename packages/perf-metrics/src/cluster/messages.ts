import type { FamilyDescription } from '../metric/family-description.ts'
import type { Distribution } from '../store/distribution.ts'
import { COARSEST_SCHEMA, FINEST_SCHEMA } from '../store/exponential.ts'

/** Beyond the buckets of all doubles in the finest schema. */
const MAX_INDEX = 2 ** 16

/** Marks our messages among whatever else the processes tell each other. */
export const CHANNEL = 'millrace:metrics'

/** The changes of one process since its last message. Sent over the channel between a child process and its parent. */
export interface DeltaMessage {
  readonly channel: string
  /** Tells apart the senders of one process, each of which numbers metrics by itself. */
  readonly sender: number
  /** Descriptions of the metrics that appear for the first time; the others are named by their number. */
  readonly families: readonly FamilyDescription[]
  readonly series: readonly SeriesDelta[]
}

export interface SeriesDelta {
  /** Number of the metric, in order of announcement by this process. */
  readonly family: number
  readonly labelValues: readonly string[]
  /**
   * A change of a counter or up-down counter, the value of a gauge, or a histogram's new observations. An infinite gauge is
   * spelt out, as the channel between the processes speaks JSON.
   */
  readonly value: number | 'Infinity' | '-Infinity' | HistogramDelta
}

export interface HistogramDelta {
  readonly distribution: Distribution
  readonly classic: readonly number[]
}

export function isDeltaMessage(message: unknown): message is DeltaMessage {
  if (!isRecord(message) || message.channel !== CHANNEL) return false
  return Array.isArray(message.families) && Array.isArray(message.series)
}

/** Whether this can be looked at as a description; whether it is a right one, its definition will say. */
export function isDescription(value: unknown): value is FamilyDescription {
  if (!isRecord(value) || typeof value.name !== 'string') return false
  if (value.failures !== undefined && typeof value.failures !== 'string') return false
  return Array.isArray(value.labelNames) && Array.isArray(value.buckets)
}

/** Whether `delta` is one of a series of such a metric. */
export function isDelta(delta: unknown, of: FamilyDescription): delta is SeriesDelta {
  if (!isRecord(delta)) return false
  const { labelValues, value } = delta
  if (!Array.isArray(labelValues) || labelValues.length !== of.labelNames.length) return false
  if (!labelValues.every(label => typeof label === 'string')) return false
  switch (of.type) {
    case 'counter':
      return isNumber(value) && value >= 0
    case 'updown':
      return isNumber(value)
    case 'gauge':
      return isNumber(value) || value === 'Infinity' || value === '-Infinity'
    case 'histogram':
      return isHistogramDelta(value, of.buckets.length + 1)
  }
}

function isHistogramDelta(value: unknown, buckets: number): boolean {
  if (!isRecord(value) || !isRecord(value.distribution)) return false
  const { schema, low, counts, zeros, count, sum } = value.distribution
  return (
    isCounts(value.classic) &&
    value.classic.length === buckets &&
    isCounts(counts) &&
    [schema, low, zeros, count, sum].every(isNumber) &&
    isIntegerWithin(schema, COARSEST_SCHEMA, FINEST_SCHEMA) &&
    isIntegerWithin(low, -MAX_INDEX, MAX_INDEX)
  )
}

function isIntegerWithin(value: unknown, least: number, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(count => isNumber(count) && count >= 0)
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
