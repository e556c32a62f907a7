import { type Escaping, isEscaping } from '../metric/escaping.ts'
import { preferences } from './accept.ts'
import {
  type ExpositionFormat,
  expositionFormat,
  OPENMETRICS_1,
  OPENMETRICS_2,
  PROMETHEUS,
  PROTOBUF,
  TEXT_0_0_4,
  TEXT_1_0_0,
} from './exposition-format.ts'

/**
 * The format a client prefers among those we have, by its `Accept` header. Without one: Prometheus text 0.0.4. Names are escaped as the
 * client asks; with underscores where it does not say, as scrapers before Prometheus 3 know no other names.
 *
 * @param openMetrics2 whether OpenMetrics 2.0 is among them
 */
export function negotiate(accept: string | undefined, openMetrics2: boolean): ExpositionFormat {
  let best: ExpositionFormat = PROMETHEUS
  let bestQuality = 0
  for (const { name, parameters, quality } of preferences(accept)) {
    const format = formatOf(name, parameters, openMetrics2)
    if (format !== undefined && quality > bestQuality) {
      best = format
      bestQuality = quality
    }
  }
  return best
}

function formatOf(
  type: string,
  given: ReadonlyMap<string, string>,
  openMetrics2: boolean,
): ExpositionFormat | undefined {
  const version = given.get('version')
  const asked = given.get('escaping')
  const named = isEscaping(asked)
  const escaping: Escaping = named ? asked : 'underscores'
  switch (type) {
    case 'application/openmetrics-text':
      if (version === '2.0.0') {
        return openMetrics2
          ? expositionFormat('composite', OPENMETRICS_2, escaping, named)
          : undefined
      }
      if (version === '1.0.0')
        return expositionFormat('openmetrics', OPENMETRICS_1, escaping, named)
      return version === undefined || version === '0.0.1'
        ? unquoted('openmetrics', OPENMETRICS_1, escaping, named)
        : undefined
    case 'application/vnd.google.protobuf':
      return given.get('proto') === 'io.prometheus.client.metricfamily' &&
        given.get('encoding') === 'delimited'
        ? expositionFormat('protobuf', PROTOBUF, escaping, named)
        : undefined
    case 'text/plain':
      if (version === '1.0.0') return expositionFormat('prometheus', TEXT_1_0_0, escaping, named)
      return version === undefined || version === '0.0.4'
        ? unquoted('prometheus', TEXT_0_0_4, escaping, named)
        : undefined
    case 'text/*':
    case '*/*':
      return PROMETHEUS
    default:
      return undefined
  }
}

/** A version from before names could stand in quotes. */
function unquoted(
  kind: 'prometheus' | 'openmetrics',
  type: string,
  escaping: Escaping,
  named: boolean,
): ExpositionFormat {
  return escaping === 'allow-utf-8'
    ? expositionFormat(kind, type, 'underscores', false)
    : expositionFormat(kind, type, escaping, named)
}
