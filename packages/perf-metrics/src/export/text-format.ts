/** What a text exposition looks like. Compared by identity: the formats are the constants below. */
export interface TextFormat {
  /** `composite`: OpenMetrics 2.0, which has a histogram on one line. */
  readonly kind: 'prometheus' | 'openmetrics' | 'composite'
  /** Whether names beyond ASCII appear as they are, in quotes; otherwise underscores take the place of the rest. */
  readonly utf8Names: boolean
  readonly contentType: string
}

/** Prometheus text 0.0.4. */
export const PROMETHEUS: TextFormat = {
  kind: 'prometheus',
  utf8Names: false,
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
  contentType: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
}

export const OPENMETRICS_UTF8: TextFormat = {
  ...OPENMETRICS,
  utf8Names: true,
  contentType: 'application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8',
}

/** OpenMetrics 2.0, as of the release candidate of March 2026. */
export const OPENMETRICS_2: TextFormat = {
  kind: 'composite',
  utf8Names: true,
  contentType: 'application/openmetrics-text; version=2.0.0; charset=utf-8',
}
