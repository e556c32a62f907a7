/** Stable codes of the errors this package throws. */
export type ErrorCode =
  | 'ERR_MILLRACE_INVALID_OPTION'
  | 'ERR_MILLRACE_METRIC_NAME'
  | 'ERR_MILLRACE_DUPLICATE_METRIC'
  | 'ERR_MILLRACE_LABELS'
  | 'ERR_MILLRACE_LANES_FULL'
  | 'ERR_MILLRACE_SNAPSHOT'
  | 'ERR_MILLRACE_EXPORT'

/** A constructor option, or an option of one call, is outside its documented bounds. */
export class InvalidOptionError extends TypeError {
  override readonly name = 'InvalidOptionError'
  readonly code = 'ERR_MILLRACE_INVALID_OPTION'
  /** Name of the option as the caller wrote it. */
  readonly option: string
  /** What would have been accepted. */
  readonly expected: string
  /** What was passed. Not enumerable, so that logging the error does not log the value. */
  declare readonly received: unknown

  constructor(option: string, expected: string, received: unknown) {
    super(`Expected \`${option}\` to be ${expected}, got ${describe(received)}`)
    this.option = option
    this.expected = expected
    Object.defineProperty(this, 'received', { value: received, enumerable: false })
  }
}

/** The name of a metric, or of one of its labels, cannot be exported. */
export class MetricNameError extends TypeError {
  override readonly name = 'MetricNameError'
  readonly code = 'ERR_MILLRACE_METRIC_NAME'
  /** The metric being defined. */
  readonly metric: string
  /** The label at fault, where it is not the metric's own name. */
  readonly label: string | undefined

  constructor(metric: string, label: string | undefined, problem: string) {
    const subject =
      label === undefined
        ? `Metric name ${JSON.stringify(metric)}`
        : `Label name ${JSON.stringify(label)} of metric ${JSON.stringify(metric)}`
    super(`${subject} ${problem}`)
    this.metric = metric
    this.label = label
  }
}

/** A metric of this name exists and is not the same: other type, labels or buckets, or a clash of exported names. */
export class DuplicateMetricError extends Error {
  override readonly name = 'DuplicateMetricError'
  readonly code = 'ERR_MILLRACE_DUPLICATE_METRIC'
  /** The metric being defined. */
  readonly metric: string

  constructor(metric: string, problem: string) {
    super(`Metric ${JSON.stringify(metric)} ${problem}`)
    this.metric = metric
  }
}

/** A label object lacks a label, has one too many, or holds a value that is no string, number or boolean. */
export class LabelError extends TypeError {
  override readonly name = 'LabelError'
  readonly code = 'ERR_MILLRACE_LABELS'
  /** The metric whose labels were to be resolved. */
  readonly metric: string
  /** The label at fault. */
  readonly label: string

  constructor(metric: string, label: string, problem: string) {
    super(`Label ${JSON.stringify(label)} of metric ${JSON.stringify(metric)} ${problem}`)
    this.metric = metric
    this.label = label
  }
}

/** All lanes of the shared memory belong to live threads, or a lane has no room for another series. */
export class LanesFullError extends Error {
  override readonly name = 'LanesFullError'
  readonly code = 'ERR_MILLRACE_LANES_FULL'
}

/** A snapshot is not one this package wrote, or it is damaged. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError'
  readonly code = 'ERR_MILLRACE_SNAPSHOT'
}

/** An export to a collector failed for good: refused, or still failing after the last retry. */
export class ExportError extends Error {
  override readonly name = 'ExportError'
  readonly code = 'ERR_MILLRACE_EXPORT'
  /** HTTP status of the last answer, where there was one. */
  readonly status: number | undefined

  constructor(message: string, status?: number, options?: ErrorOptions) {
    super(message, options)
    this.status = status
  }
}

/** Names a value in a message by kind: enough to find the mistake, never a secret or a user's data. */
function describe(value: unknown): string {
  if (value === null) return 'null'
  if (value === undefined) return 'undefined'
  if (typeof value === 'number' || typeof value === 'boolean') return `${value} (${typeof value})`
  if (typeof value === 'string') return `a string of ${value.length} characters`
  return Array.isArray(value) ? `an array of ${value.length}` : `a value of type ${typeof value}`
}
