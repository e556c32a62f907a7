import { HTTP_METHODS } from '@millrace/kit'
import type { FamilyDescription } from '../metric/family-description.ts'
import { baseName } from '../metric/name.ts'

export type OtlpAttribute = readonly [name: string, value: string | number | boolean]

/** Names over OTLP, where they are not those of the exposition. */
export interface Convention {
  readonly name?: string | undefined
  /** From label values to attributes: different values to different attributes, as points must not become one. */
  readonly attributes?: ((labelValues: readonly string[]) => readonly OtlpAttribute[]) | undefined
}

/** What a label's value says, in attributes. One that is empty says nothing. */
type Reading = (value: string) => readonly OtlpAttribute[]

const text =
  (name: string): Reading =>
  value => [[name, value]]
const flag =
  (name: string): Reading =>
  value => [[name, value === 'true']]

const method: Reading = value =>
  HTTP_METHODS.has(value) || value === '_OTHER'
    ? [['http.request.method', value]]
    : [
        ['http.request.method', '_OTHER'],
        ['http.request.method_original', value],
      ]

/** `error` stands for a call without an answer. */
const status: Reading = value =>
  isStatus(value) ? [['http.response.status_code', Number(value)]] : [['error.type', value]]

const isStatus = (value: string): boolean => /^[1-9]\d*$/.test(value)

const origin: Reading = value => {
  const url = URL.parse(value)
  // Two spellings of one origin are two series.
  if (url?.origin !== value) return [['millrace.http.origin', value]]
  const { protocol, hostname, port } = url
  return [
    ['url.scheme', protocol.slice(0, -1)],
    ['server.address', hostname.replace(/^\[(.*)\]$/, '$1')],
    ['server.port', port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)],
  ]
}

const redis: Reading = value => [
  ['db.system.name', 'redis'],
  ['db.operation.name', value],
]

/** The whole says it already. */
const part: Reading = () => []

const SERVED = {
  http_request_method: method,
  url_scheme: text('url.scheme'),
  http_route: text('http.route'),
  http_response_status_code: status,
  error_type: text('error.type'),
  network_protocol_version: text('network.protocol.version'),
}
const SPACE = { space: (value: string) => text('v8js.heap.space.name')(`${value}_space`) }
const METRIC = { metric: text('millrace.metrics.name') }
const LIMITER = { limiter: text('millrace.limit.name') }

/** By the name without suffixes, and the labels that this package's own collectors give the metric. */
const LABELS: Readonly<Record<string, Readonly<Record<string, Reading>>>> = {
  http_server_request_duration: SERVED,
  undici_request: { method, origin },
  ioredis_command: { command: redis },
  millrace_cache_load: { awaited: flag('millrace.cache.awaited') },
  millrace_redis_command: { operation: redis },
  millrace_http_request: { method, origin, status },
  millrace_http_attempt: { origin, reason: text('millrace.http.reason'), status },
  millrace_limit_wait: LIMITER,
  millrace_limit_refuse: LIMITER,
  nodejs_gc_duration: { kind: text('v8js.gc.type') },
  nodejs_heap_space_size_total_bytes: SPACE,
  nodejs_heap_space_size_used_bytes: SPACE,
  nodejs_heap_space_size_available_bytes: SPACE,
  nodejs_version_info: {
    version: text('process.runtime.version'),
    major: part,
    minor: part,
    patch: part,
  },
  nodejs_active_resources: { type: text('v8js.resource.type') },
  millrace_metrics_rejected: METRIC,
  millrace_metrics_mislabelled: METRIC,
  millrace_metrics_overflow: METRIC,
}

/** Metrics that the conventions know, of the same type and unit. */
const NAMES: Readonly<Record<string, string>> = {
  http_server_request_duration_seconds: 'http.server.request.duration',
  nodejs_gc_duration_seconds: 'v8js.gc.duration',
  nodejs_eventloop_utilization_ratio: 'nodejs.eventloop.utilization',
  nodejs_eventloop_lag_seconds: 'nodejs.eventloop.delay.mean',
  nodejs_eventloop_lag_min_seconds: 'nodejs.eventloop.delay.min',
  nodejs_eventloop_lag_max_seconds: 'nodejs.eventloop.delay.max',
  nodejs_eventloop_lag_stddev_seconds: 'nodejs.eventloop.delay.stddev',
  nodejs_eventloop_lag_p50_seconds: 'nodejs.eventloop.delay.p50',
  nodejs_eventloop_lag_p90_seconds: 'nodejs.eventloop.delay.p90',
  nodejs_eventloop_lag_p99_seconds: 'nodejs.eventloop.delay.p99',
}

const OVERFLOW: readonly OtlpAttribute[] = [['otel.metric.overflow', true]]

/**
 * OpenTelemetry's semantic conventions for what this package and its collectors measure, whose names in the exposition are those that
 * Prometheus and its dashboards know. What a program has named itself is sent as it is.
 */
export function conventionOf({ name, labelNames }: FamilyDescription): Convention {
  const own = Object.hasOwn(NAMES, name) ? NAMES[name] : undefined
  const base = baseName(name).replace(/_(?:seconds|failures)$/, '')
  const known = Object.hasOwn(LABELS, base) ? LABELS[base]! : undefined
  // A program may have a metric of that name and other labels.
  if (known === undefined || !labelNames.every(label => Object.hasOwn(known, label))) {
    return { name: labelNames.length === 0 ? own : undefined }
  }
  const readings = labelNames.map(label => known[label]!)
  return {
    name: own,
    attributes: values =>
      values.length > 0 && values.every(value => value === '__overflow__')
        ? OVERFLOW
        : readings.flatMap((read, i) => (values[i] === '' ? [] : read(values[i]!))),
  }
}
