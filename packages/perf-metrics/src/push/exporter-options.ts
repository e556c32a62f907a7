import {
  type Clock,
  checkFunction,
  checkMethods,
  checkOneOf,
  checkOptions,
  type OptionNames,
} from '@millrace/kit'
import { InvalidOptionError, type MetricsExportError } from '../errors.ts'
import type { HistogramEncoding, Temporality } from '../otlp/metric-data.ts'
import { type ResourceAttributes, resourceFromEnvironment } from '../otlp/resource.ts'
import type { Registry } from '../registry/registry.ts'
import type { PartialSuccess } from './partial-success.ts'

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
  checkOptions('', options, OPTIONS)
  const { env } = process
  const { clock = registry.timeline, onError = () => {}, onPartialSuccess = warnOnce() } = options
  return {
    url: checkUrl(options.url ?? urlFrom(env)),
    headers: options.headers ?? headersOf(env.OTEL_EXPORTER_OTLP_HEADERS),
    interval: duration('interval', options.interval, env.OTEL_METRIC_EXPORT_INTERVAL, 60_000, 100),
    timeout: duration('timeout', options.timeout, env.OTEL_METRIC_EXPORT_TIMEOUT, 30_000, 1),
    maxRetryAfter: duration('maxRetryAfter', options.maxRetryAfter, undefined, 30_000, 0),
    temporality: checkOneOf('temporality', options.temporality ?? 'cumulative', [
      'cumulative',
      'delta',
    ]),
    histograms: checkOneOf('histograms', options.histograms ?? 'exponential', [
      'exponential',
      'explicit',
    ]),
    encoding: checkOneOf('encoding', options.encoding ?? 'protobuf', ['protobuf', 'json']),
    compression: checkOneOf('compression', options.compression ?? 'gzip', ['gzip', 'none']),
    resource: { ...resourceFromEnvironment(env), ...options.resource },
    onError: checkFunction('onError', onError),
    onPartialSuccess: checkFunction('onPartialSuccess', onPartialSuccess),
    clock: checkMethods('clock', clock, 'a clock', ['now', 'setTimer']),
  }
}

function urlFrom(env: NodeJS.ProcessEnv): string {
  const base = env.OTEL_EXPORTER_OTLP_ENDPOINT?.replace(/\/$/, '') ?? 'http://localhost:4318'
  return env.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT ?? `${base}/v1/metrics`
}

function checkUrl(url: string): string {
  if (/^https?:$/.test(URL.parse(url)?.protocol ?? '')) return url
  throw new InvalidOptionError('url', 'an http or https URL', url)
}

function headersOf(list: string | undefined): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const pair of (list ?? '').split(',')) {
    const equals = pair.indexOf('=')
    if (equals > 0) {
      headers[pair.slice(0, equals).trim()] = decodeURIComponent(pair.slice(equals + 1).trim())
    }
  }
  return headers
}

function duration(
  option: string,
  given: number | undefined,
  env: string | undefined,
  otherwise: number,
  least: number,
): number {
  const value = given ?? (env ? Number(env) : otherwise)
  if (typeof value === 'number' && value >= least && value < Infinity) return value
  throw new InvalidOptionError(option, `a finite number of at least ${least}`, value)
}

function warnOnce(): (partial: PartialSuccess) => void {
  let warned = false
  return ({ rejected, message }) => {
    if (warned) return
    warned = true
    process.emitWarning(`The collector rejected ${rejected} data points: ${message}`, {
      code: 'MILLRACE_METRICS_PARTIAL_SUCCESS',
    })
  }
}
