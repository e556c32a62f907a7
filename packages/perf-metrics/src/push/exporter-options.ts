import {
  type Clock,
  checkAtLeast,
  checkClock,
  checkFunction,
  checkHeaders,
  checkMethods,
  checkNonNegative,
  checkOneOf,
  type OptionRule,
  type OptionRules,
  type PartialSuccess,
  type Resolved,
  resolveOptions,
  withDefault,
} from '@millrace/kit'
import { InvalidOptionError, type MetricsExportError } from '../errors.ts'
import type { HistogramEncoding, Temporality } from '../otlp/metric-data.ts'
import { checkResource, type ResourceAttributes } from '../otlp/resource.ts'
import type { Registry } from '../registry/registry.ts'
import {
  headersFrom,
  isHttpUrl,
  numberFrom,
  resourceFromEnvironment,
  urlFrom,
  wordFrom,
} from './environment.ts'

export interface OtlpMetricExporterOptions {
  /**
   * Where to post to. Default: `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`, or `OTEL_EXPORTER_OTLP_ENDPOINT` with
   * `/v1/metrics`, or `http://localhost:4318/v1/metrics`
   */
  readonly url?: string | undefined
  /**
   * Headers to send, for instance a key; `transfer-encoding` is none of them. Default: those of `OTEL_EXPORTER_OTLP_METRICS_HEADERS`, or
   * of `OTEL_EXPORTER_OTLP_HEADERS`
   */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** ms between two exports, 100 or more. Default: `OTEL_METRIC_EXPORT_INTERVAL`, or 60,000 */
  readonly interval?: number | undefined
  /** ms that one export may take, retries included, 1 or more and finite. Default: `OTEL_METRIC_EXPORT_TIMEOUT`, or 30,000 */
  readonly timeout?: number | undefined
  /**
   * Longest `Retry-After` of the collector in ms that is waited for, 0 or more. One that asks for more, or for more than `timeout`
   * leaves, fails the export at once. Default: 30,000
   */
  readonly maxRetryAfter?: number | undefined
  /**
   * With `delta` a failed export is contained in the next one. Default: `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`, or
   * `cumulative`
   */
  readonly temporality?: Temporality | undefined
  /** Default: as `OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION` says, or `exponential` */
  readonly histograms?: HistogramEncoding | undefined
  /** Default: `OTEL_EXPORTER_OTLP_METRICS_PROTOCOL`, or `OTEL_EXPORTER_OTLP_PROTOCOL`, or `http/protobuf` */
  readonly protocol?: 'http/protobuf' | 'http/json' | undefined
  /** Default: `OTEL_EXPORTER_OTLP_METRICS_COMPRESSION`, or `OTEL_EXPORTER_OTLP_COMPRESSION`, or `gzip` */
  readonly compression?: 'gzip' | 'none' | undefined
  /** Attributes of this process, over those of `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`. Default: these alone */
  readonly resource?: ResourceAttributes | undefined
  /** Told of every export that failed for good. Default: a process warning, the first time; all are counted in `stats()` */
  readonly onError?: ((error: MetricsExportError) => void) | undefined
  /** Told when a collector took an export and rejected points of it, or warns. Default: a process warning, the first time */
  readonly onPartialSuccess?: ((partial: PartialSuccess) => void) | undefined
  /** Source of timers. Default: the registry's */
  readonly clock?: Clock | undefined
}

/** ms. */
const SHORTEST_INTERVAL = 100

const ALL = 'OTEL_EXPORTER_OTLP'
const METRICS = 'OTEL_EXPORTER_OTLP_METRICS'

// By the words of the variables, the default first.
const TEMPORALITIES = { cumulative: 'cumulative', delta: 'delta' } as const
const HISTOGRAMS = {
  base2_exponential_bucket_histogram: 'exponential',
  explicit_bucket_histogram: 'explicit',
} as const
const PROTOCOLS = { 'http/protobuf': 'http/protobuf', 'http/json': 'http/json' } as const
const COMPRESSIONS = { gzip: 'gzip', none: 'none' } as const

/** Options with everything that has a default. */
export type ResolvedOptions = Resolved<OtlpMetricExporterOptions>

/** @throws InvalidOptionError */
export function resolveExporter(
  registry: Registry,
  options: OtlpMetricExporterOptions,
): ResolvedOptions {
  checkMethods('registry', registry, 'a Registry', ['collect'])
  return resolveOptions('', options, rulesOf(registry, process.env))
}

/** The environment is read for what is left out alone, as a variable that cannot be used is warned of. */
function rulesOf(
  registry: Registry,
  env: NodeJS.ProcessEnv,
): OptionRules<OtlpMetricExporterOptions> {
  return {
    url: (option, given = defaultUrl(env)) => checkUrl(option, given),
    headers: (option, given = defaultHeaders(env)) =>
      checkHeaders(option, given as Record<string, string>),
    interval: atLeast(SHORTEST_INTERVAL, env, 'OTEL_METRIC_EXPORT_INTERVAL', 60_000),
    timeout: atLeast(1, env, 'OTEL_METRIC_EXPORT_TIMEOUT', 30_000),
    maxRetryAfter: withDefault(30_000, checkNonNegative),
    temporality: choice(TEMPORALITIES, env, [`${METRICS}_TEMPORALITY_PREFERENCE`]),
    histograms: choice(HISTOGRAMS, env, [`${METRICS}_DEFAULT_HISTOGRAM_AGGREGATION`]),
    protocol: choice(PROTOCOLS, env, [`${METRICS}_PROTOCOL`, `${ALL}_PROTOCOL`]),
    compression: choice(COMPRESSIONS, env, [`${METRICS}_COMPRESSION`, `${ALL}_COMPRESSION`]),
    resource: (_, given = {}) => ({
      ...resourceFromEnvironment(env),
      ...checkResource(given as ResourceAttributes),
    }),
    onError: withDefault(warnOfError(), checkFunction<ResolvedOptions['onError']>),
    onPartialSuccess: withDefault(
      warnOfPartialSuccess(),
      checkFunction<ResolvedOptions['onPartialSuccess']>,
    ),
    clock: withDefault(registry.timeline, checkClock<Clock>),
  }
}

function defaultHeaders(env: NodeJS.ProcessEnv): Record<string, string> {
  return headersFrom(env, `${METRICS}_HEADERS`) ?? headersFrom(env, `${ALL}_HEADERS`) ?? {}
}

/** One of several words, or what the first variable of these names says that is set. */
function choice<T extends string>(
  words: Readonly<Record<string, T>>,
  env: NodeJS.ProcessEnv,
  variables: readonly string[],
): OptionRule<T> {
  const options = Object.values(words)
  return (option, given = wordFrom(env, variables, words) ?? options[0]) =>
    checkOneOf(option, given as T, options)
}

function defaultUrl(env: NodeJS.ProcessEnv): string {
  const base = urlFrom(env, 'OTEL_EXPORTER_OTLP_ENDPOINT')?.replace(/\/$/, '')
  return (
    urlFrom(env, 'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT') ??
    `${base ?? 'http://localhost:4318'}/v1/metrics`
  )
}

function checkUrl(option: string, url: unknown): string {
  if (typeof url === 'string' && isHttpUrl(url)) return url
  throw new InvalidOptionError(option, 'an http or https URL', url)
}

/** A number, or that of a variable. */
function atLeast(
  least: number,
  env: NodeJS.ProcessEnv,
  variable: string,
  fallback: number,
): OptionRule<number> {
  return (option, given = numberFrom(env, variable, least) ?? fallback) =>
    checkAtLeast(option, given, least)
}

/** A warning, the first time. */
function warnOnce<T>(code: string, textOf: (told: T) => string): (told: T) => void {
  let warned = false
  return told => {
    if (warned) return
    warned = true
    process.emitWarning(textOf(told), { code })
  }
}

function warnOfError(): (error: MetricsExportError) => void {
  return warnOnce(
    'MILLRACE_METRICS_EXPORT',
    ({ message }) => `${message}: see onError of the exporter`,
  )
}

function warnOfPartialSuccess(): (partial: PartialSuccess) => void {
  return warnOnce('MILLRACE_METRICS_PARTIAL_SUCCESS', ({ rejected }) => {
    // The collector's own words go no further than `onPartialSuccess`: they may quote what was sent.
    const what = rejected > 0 ? `rejected ${rejected} data points` : 'warns'
    return `The collector ${what}: see onPartialSuccess of the exporter`
  })
}
