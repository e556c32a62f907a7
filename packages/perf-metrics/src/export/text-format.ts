/** What a text exposition looks like. Compared by identity: the formats are the constants below. */
export interface TextFormat {
  readonly kind: 'prometheus' | 'openmetrics'
  /** Whether names beyond ASCII appear as they are, in quotes; otherwise underscores take the place of the rest. */
  readonly utf8Names: boolean
  /** OpenMetrics: whether start times appear, as `_created` samples. */
  readonly created: boolean
  readonly contentType: string
}

/** Prometheus text 0.0.4. */
export const PROMETHEUS: TextFormat = {
  kind: 'prometheus',
  utf8Names: false,
  created: false,
  contentType: 'text/plain; version=0.0.4; charset=utf-8',
}

/** Prometheus text 1.0.0, which differs in its names. */
export const PROMETHEUS_UTF8: TextFormat = {
  ...PROMETHEUS,
  utf8Names: true,
  contentType: 'text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8',
}

/** OpenMetrics 1.0. */
export const OPENMETRICS: TextFormat = {
  kind: 'openmetrics',
  utf8Names: false,
  created: true,
  contentType: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
}

export const OPENMETRICS_UTF8: TextFormat = {
  ...OPENMETRICS,
  utf8Names: true,
  contentType: 'application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8',
}
