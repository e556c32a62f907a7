/** Why an export failed for good; passed to `onError`, never thrown into the traced program. */
export class SpanExportError extends Error {
  override readonly name = 'SpanExportError'
  readonly code = 'ERR_MILLRACE_SPAN_EXPORT'
  /** HTTP status of the collector's last answer; undefined when none came. */
  readonly status: number | undefined
  /** Spans lost with this failure; 0 where the collector accepted all and has a warning. */
  readonly spans: number

  constructor(
    message: string,
    options: {
      readonly status?: number | undefined
      readonly spans: number
      readonly cause?: unknown
    },
  ) {
    super(message, { cause: options.cause })
    this.status = options.status
    this.spans = options.spans
  }
}
