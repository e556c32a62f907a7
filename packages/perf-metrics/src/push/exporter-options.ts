import {
  type Clock,
  checkClock,
  checkFunction,
  checkHeaders,
  checkMethods,
  checkNonNegative,
  checkOneOf,
  checkOptions,
  type OptionNames,
  type PartialSuccess,
} from '@millrace/kit'
import { InvalidOptionError, type MetricsExportError } from '../errors.ts'
import type { HistogramEncoding, Temporality } from '../otlp/metric-data.ts'
import {
  checkResource,
  type ResourceAttributes,
  resourceFromEnvironment,
} from '../otlp/resource.ts'
import type { Registry } from '../registry/registry.ts'
import { headersFrom, isHttpUrl, numberFrom, urlFrom } from './environment.ts'

export interface OtlpExporterOptions {
  /**
   * Where to post to. Default: `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`, or `OTEL_EXPORTER_OTLP_ENDPOINT` with
   * `/v1/metrics`, or `http://localhost:4318/v1/metrics`
   */
  readonly url?: string | undefined
  /** Headers to send, for instance a key. Default: those of `OTEL_EXPORTER_OTLP_HEADERS` */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** ms between two exports, 100 or more. Default: `OTEL_METRIC_EXPORT_INTERVAL`, or 60,000 */
  readonly interval?: number | undefined
  /** ms that one export may take, retries included, 1 or more. Default: `OTEL_METRIC_EXPORT_TIMEOUT`, or 30,000 */
  readonly timeout?: number | undefined
  /**
   * Longest `Retry-After` of the collector in ms that is waited for, 0 or more. One that asks for more, or for more than `timeout`
   * leaves, fails the export at once. Default: 30,000
   */
  readonly maxRetryAfter?: number | undefined
  /** With `delta` a failed export is contained in the next one. Default: `cumulative` */
  readonly temporality?: Temporality | undefined
  /** Default: `exponential` */
  readonly histograms?: HistogramEncoding | undefined
  /** Default: `protobuf` */
  readonly encoding?: 'protobuf' | 'json' | undefined
  /** Default: `gzip` */
  readonly compression?: 'gzip' | 'none' | undefined
  /** Attributes of this process, over those of `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`. */
  readonly resource?: ResourceAttributes | undefined
  /** Told of every export that failed for good. Default: only counted in `stats()` */
  readonly onError?: ((error: MetricsExportError) => void) | undefined
  /** Told when a collector took an export and rejected points of it, or warns. Default: a process warning, the first time */
  readonly onPartialSuccess?: ((partial: PartialSuccess) => void) | undefined
  /** Source of timers. Default: the registry's */
  readonly clock?: Clock | undefined
}

/** ms. */
const SHORTEST_INTERVAL = 100

const OPTIONS: OptionNames<OtlpExporterOptions> = {
  url: true,
  headers: true,
  interval: true,
  timeout: true,
  maxRetryAfter: true,
  temporality: true,
  histograms: true,
  encoding: true,
  compression: true,
  resource: true,
  onError: true,
  onPartialSuccess: true,
  clock: true,
}

/** Options with everything that has a default. */
export type ResolvedOptions = {
  readonly [K in keyof OtlpExporterOptions]-?: NonNullable<OtlpExporterOptions[K]>
}

/** @throws InvalidOptionError */
export function resolveOptions(registry: Registry, options: OtlpExporterOptions): ResolvedOptions {
  checkMethods('registry', registry, 'a Registry', ['collect'])
  checkOptions('', options, OPTIONS)
  const { env } = process
  const {
    url = defaultUrl(env),
    headers = headersFrom(env, 'OTEL_EXPORTER_OTLP_HEADERS') ?? {},
    interval = numberFrom(env, 'OTEL_METRIC_EXPORT_INTERVAL', SHORTEST_INTERVAL) ?? 60_000,
    timeout = numberFrom(env, 'OTEL_METRIC_EXPORT_TIMEOUT', 1) ?? 30_000,
    maxRetryAfter = 30_000,
    temporality = 'cumulative',
    histograms = 'exponential',
    encoding = 'protobuf',
    compression = 'gzip',
    resource = {},
    onError = () => {},
    onPartialSuccess = warnOnce(),
    clock = registry.timeline,
  } = options
  return {
    url: checkUrl(url),
    headers: checkHeaders('headers', headers),
    interval: checkAtLeast('interval', interval, SHORTEST_INTERVAL),
    timeout: checkAtLeast('timeout', timeout, 1),
    maxRetryAfter: checkNonNegative('maxRetryAfter', maxRetryAfter),
    temporality: checkOneOf('temporality', temporality, ['cumulative', 'delta']),
    histograms: checkOneOf('histograms', histograms, ['exponential', 'explicit']),
    encoding: checkOneOf('encoding', encoding, ['protobuf', 'json']),
    compression: checkOneOf('compression', compression, ['gzip', 'none']),
    resource: { ...resourceFromEnvironment(env), ...checkResource(resource) },
    onError: checkFunction('onError', onError),
    onPartialSuccess: checkFunction('onPartialSuccess', onPartialSuccess),
    clock: checkClock('clock', clock),
  }
}

function defaultUrl(env: NodeJS.ProcessEnv): string {
  const base = urlFrom(env, 'OTEL_EXPORTER_OTLP_ENDPOINT')?.replace(/\/$/, '')
  return (
    urlFrom(env, 'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT') ??
    `${base ?? 'http://localhost:4318'}/v1/metrics`
  )
}

function checkUrl(url: string): string {
  if (typeof url === 'string' && isHttpUrl(url)) return url
  throw new InvalidOptionError('url', 'an http or https URL', url)
}

function checkAtLeast(option: string, value: number, least: number): number {
  if (typeof value === 'number' && value >= least && value < Infinity) return value
  throw new InvalidOptionError(option, `a finite number of at least ${least}`, value)
}

function warnOnce(): (partial: PartialSuccess) => void {
  let warned = false
  return ({ rejected }) => {
    if (warned) return
    warned = true
    // The collector's own words go no further than `onPartialSuccess`: they may quote what was sent.
    const what = rejected > 0 ? `rejected ${rejected} data points` : 'warns'
    process.emitWarning(`The collector ${what}: see onPartialSuccess of the exporter`, {
      code: 'MILLRACE_METRICS_PARTIAL_SUCCESS',
    })
  }
}
