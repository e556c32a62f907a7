import { MetricNameError } from '../errors.ts'

const LEGACY_METRIC = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LEGACY_LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/

/**
 * Any Unicode text is a name, as in Prometheus 3 and OpenTelemetry; readers that know ASCII names only get
 * {@link legacyName}. Refused are the empty, control characters, halves of surrogate pairs, and what is reserved.
 *
 * @throws MetricNameError
 */
export function validateMetricName(name: string): void {
  if (typeof name !== 'string') {
    throw new MetricNameError(String(name), undefined, `must be a string, got ${typeof name}`)
  }
  const problem = textProblem(name)
  if (problem) throw new MetricNameError(name, undefined, problem)
}

/** What keeps `name` from being that of a metric or a label. */
export function textProblem(name: string): string | undefined {
  if (name === '') return 'must not be empty'
  if (!name.isWellFormed()) return 'must be well-formed Unicode'
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[\u0000-\u001f\u007f]/.test(name)) return 'must not contain control characters'
  return undefined
}

export function isLegacyMetricName(name: string): boolean {
  return LEGACY_METRIC.test(name)
}

export function isLegacyLabelName(name: string): boolean {
  return LEGACY_LABEL.test(name)
}

/** `name` with an underscore for each code point that Prometheus 2 does not accept. */
export function legacyName(name: string): string {
  return underscored(name, /[^a-zA-Z0-9_:]/gu)
}

/** As {@link legacyName}, for labels, which may not contain colons either. */
export function legacyLabel(name: string): string {
  return underscored(name, /[^a-zA-Z0-9_]/gu)
}

function underscored(name: string, forbidden: RegExp): string {
  const result = name.replace(forbidden, '_')
  return /^[0-9]/.test(result) ? `_${result}` : result
}

/** The name of a counter without the suffix that the exposition adds. */
export function baseName(name: string): string {
  return name.endsWith('_total') ? name.slice(0, -'_total'.length) : name
}
