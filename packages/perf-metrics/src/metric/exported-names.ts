import { MetricNameError } from '../errors.ts'
import { ESCAPINGS, escapeLabelName, escapeMetricName } from './escaping.ts'
import type { MetricType } from './family-description.ts'
import { baseName, textProblem } from './name.ts'

/**
 * Whatever the names of labels become for a scraper, they must differ, and be no name that an exposition has a meaning for: a scraper
 * that gets a label twice refuses all that the target has to tell.
 *
 * @throws MetricNameError
 */
export function validateLabelNames(metric: string, type: MetricType, labels: unknown): void {
  if (!Array.isArray(labels)) {
    throw new MetricNameError(metric, undefined, 'must have its label names in an array')
  }
  const seen = new Set<string>()
  for (const label of labels) {
    if (typeof label !== 'string') {
      throw new MetricNameError(metric, String(label), `must be a string, got ${typeof label}`)
    }
    const problem = textProblem(label)
    if (problem) throw new MetricNameError(metric, label, problem)
    if (label.startsWith('__')) {
      throw new MetricNameError(metric, label, 'must not begin with __, which Prometheus reserves')
    }
    if (label === 'quantile' || (type === 'histogram' && label === 'le')) {
      throw new MetricNameError(metric, label, 'is reserved for the buckets of the exposition')
    }
    const exported = new Set(ESCAPINGS.map(escaping => escapeLabelName(label, escaping)))
    for (const name of exported) {
      if (name === '__name__') {
        throw new MetricNameError(metric, label, 'is exported as __name__, which is the metric')
      }
      if (seen.has(name)) {
        throw new MetricNameError(metric, label, `is exported as ${name}, as another label is`)
      }
      seen.add(name)
    }
  }
}

/** Every name under which a metric's samples appear in any format, to find clashes when a metric is defined. */
export function sampleNames(name: string, type: MetricType): Set<string> {
  const names = new Set<string>()
  for (const escaping of ESCAPINGS) {
    // With its suffix, as expositions escape a counter: `dots` doubles the underscore of it.
    const whole = type === 'counter' ? `${baseName(name)}_total` : name
    const escaped = escapeMetricName(whole, escaping)
    const exported = type === 'counter' ? baseName(escaped) : escaped
    for (const suffix of SUFFIXES[type]) names.add(exported + suffix)
  }
  return names
}

const SUFFIXES: Readonly<Record<MetricType, readonly string[]>> = {
  counter: ['', '_total', '_created'],
  updown: [''],
  gauge: [''],
  histogram: ['', '_bucket', '_count', '_sum', '_created'],
}
