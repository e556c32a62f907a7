import type { Escaping } from '../metric/escaping.ts'

type Kind = 'prometheus' | 'openmetrics' | 'composite' | 'protobuf'

/** What an exposition looks like. Compared by identity: there is one object for each combination. */
export interface ExpositionFormat<K extends Kind = Kind> {
  /** `composite`: OpenMetrics 2.0, which has a histogram on one line. */
  readonly kind: K
  readonly escaping: Escaping
  readonly contentType: string
}

/** The formats that are text. */
export type TextFormat = ExpositionFormat<Exclude<Kind, 'protobuf'>>

const FORMATS = new Map<string, ExpositionFormat>()

/** @param contentType what the client asked for; `escaping` is added where the client named one */
export function expositionFormat<K extends Kind>(
  kind: K,
  type: string,
  escaping: Escaping,
  named: boolean,
): ExpositionFormat<K> {
  const contentType = named ? `${type}; escaping=${escaping}` : type
  let format = FORMATS.get(contentType)
  if (format === undefined) FORMATS.set(contentType, (format = { kind, escaping, contentType }))
  return format as ExpositionFormat<K>
}

export const TEXT_0_0_4 = 'text/plain; version=0.0.4; charset=utf-8'
export const TEXT_1_0_0 = 'text/plain; version=1.0.0; charset=utf-8'
export const OPENMETRICS_1: string = 'application/openmetrics-text; version=1.0.0; charset=utf-8'
export const OPENMETRICS_2 = 'application/openmetrics-text; version=2.0.0; charset=utf-8'
export const PROTOBUF =
  'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited'

/** Prometheus text 0.0.4. */
export const PROMETHEUS: TextFormat = expositionFormat(
  'prometheus',
  TEXT_0_0_4,
  'underscores',
  false,
)

/** OpenMetrics 1.0. */
export const OPENMETRICS: TextFormat = expositionFormat(
  'openmetrics',
  OPENMETRICS_1,
  'underscores',
  false,
)

/** OpenMetrics 2.0, as of the release candidate of March 2026. */
export const COMPOSITE: TextFormat = expositionFormat(
  'composite',
  OPENMETRICS_2,
  'allow-utf-8',
  true,
)
