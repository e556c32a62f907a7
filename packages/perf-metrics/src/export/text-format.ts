/** What a text exposition looks like. */
export interface TextFormat {
  readonly kind: 'prometheus' | 'openmetrics'
  /** Whether names beyond ASCII appear as they are, in quotes; otherwise underscores take the place of the rest. */
  readonly utf8Names: boolean
  /** OpenMetrics: whether start times appear, as `_created` samples. */
  readonly created: boolean
}

export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
export const OPENMETRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

export const PROMETHEUS: TextFormat = { kind: 'prometheus', utf8Names: false, created: false }
export const OPENMETRICS: TextFormat = { kind: 'openmetrics', utf8Names: false, created: true }
