import {
  OPENMETRICS,
  OPENMETRICS_2,
  OPENMETRICS_UTF8,
  PROMETHEUS,
  PROMETHEUS_UTF8,
  type TextFormat,
} from './text-format.ts'

/**
 * The format a client prefers among those we have, by its `Accept` header. Without one: Prometheus text 0.0.4.
 *
 * @param openMetrics2 whether OpenMetrics 2.0 is among them
 */
export function negotiate(
  accept: string | undefined,
  openMetrics2: boolean,
): TextFormat | 'protobuf' {
  let best: TextFormat | 'protobuf' = PROMETHEUS
  let bestQuality = 0
  for (const range of (accept ?? '').split(',')) {
    const [type = '', ...parameters] = range.split(';').map(part => part.trim().toLowerCase())
    const given = new Map(parameters.map(parameter => splitParameter(parameter)))
    const quality = Number(given.get('q') ?? 1)
    const format = formatOf(type, given, openMetrics2)
    if (format !== undefined && quality > bestQuality) {
      best = format
      bestQuality = quality
    }
  }
  return best
}

function splitParameter(parameter: string): [string, string] {
  const [name = '', value = ''] = parameter.split('=').map(part => part.trim())
  return [name, value.replace(/^"|"$/g, '')]
}

function formatOf(
  type: string,
  given: ReadonlyMap<string, string>,
  openMetrics2: boolean,
): TextFormat | 'protobuf' | undefined {
  const version = given.get('version')
  const utf8 = given.get('escaping') === 'allow-utf-8'
  switch (type) {
    case 'application/openmetrics-text':
      if (version === '2.0.0') return openMetrics2 ? OPENMETRICS_2 : undefined
      if (version !== undefined && version !== '1.0.0' && version !== '0.0.1') return undefined
      return utf8 && version === '1.0.0' ? OPENMETRICS_UTF8 : OPENMETRICS
    case 'application/vnd.google.protobuf':
      return given.get('proto') === 'io.prometheus.client.metricfamily' &&
        given.get('encoding') === 'delimited'
        ? 'protobuf'
        : undefined
    case 'text/plain':
      if (version === '1.0.0') return utf8 ? PROMETHEUS_UTF8 : undefined
      return version === undefined || version === '0.0.4' ? PROMETHEUS : undefined
    case 'text/*':
    case '*/*':
      return PROMETHEUS
    default:
      return undefined
  }
}
