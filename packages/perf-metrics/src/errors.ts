/** Stable codes of the errors this package throws. */
export type ErrorCode =
  | 'ERR_MILLRACE_INVALID_OPTION'
  | 'ERR_MILLRACE_METRIC_NAME'
  | 'ERR_MILLRACE_DUPLICATE_METRIC'
  | 'ERR_MILLRACE_LABELS'
  | 'ERR_MILLRACE_LANES_FULL'
  | 'ERR_MILLRACE_METRICS_SNAPSHOT'
  | 'ERR_MILLRACE_METRICS_EXPORT'

export { InvalidOptionError } from '@millrace/kit'

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
export class MetricsSnapshotError extends Error {
  override readonly name = 'MetricsSnapshotError'
  readonly code = 'ERR_MILLRACE_METRICS_SNAPSHOT'
}

/** An export to a collector failed for good: refused, or still failing after the last retry. */
export class MetricsExportError extends Error {
  override readonly name = 'MetricsExportError'
  readonly code = 'ERR_MILLRACE_METRICS_EXPORT'
  /** HTTP status of the last answer, where there was one. */
  readonly status: number | undefined

  constructor(message: string, status?: number, options?: ErrorOptions) {
    super(message, options)
    this.status = status
  }
}
