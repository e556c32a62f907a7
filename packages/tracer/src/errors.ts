/** An option that cannot work: the message names the option, what was expected and what came. */
export class InvalidOptionError extends TypeError {
  override readonly name = 'InvalidOptionError'
  readonly code = 'ERR_MILLRACE_INVALID_OPTION'
  readonly option: string
  readonly expected: string
  readonly received: unknown

  constructor(option: string, expected: string, received: unknown) {
    super(`Expected \`${option}\` to be ${expected}, got ${describe(received)}`)
    this.option = option
    this.expected = expected
    this.received = received
  }
}

/** Why an export failed for good; passed to `onError`, never thrown into the traced program. */
export class ExportError extends Error {
  override readonly name = 'ExportError'
  readonly code = 'ERR_MILLRACE_EXPORT'
  /** HTTP status of the collector's last answer; undefined when none came. */
  readonly status: number | undefined
  /** Spans lost with this failure. */
  readonly spans: number

  constructor(message: string, options: { status?: number; spans: number; cause?: unknown }) {
    super(message, { cause: options.cause })
    this.status = options.status
    this.spans = options.spans
  }
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'string') return `${JSON.stringify(value)} (string)`
  if (typeof value === 'object' || typeof value === 'function') return typeof value
  return `${String(value)} (${typeof value})`
}
