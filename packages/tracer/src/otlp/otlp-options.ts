import {
  type Clock,
  checkClock,
  checkFunction,
  checkHeaders,
  checkOneOf,
  checkOptions,
  checkPositive,
  checkPositiveOrInfinity,
  checkRange,
  InvalidOptionError,
  type OptionNames,
} from '@millrace/kit'
import type { SpanExportError } from '../export/span-export-error.ts'
import type { DropPolicy } from './chunk-queue.ts'

export interface OtlpExporterOptions {
  /** Address that spans are posted to, used as it is. Default: 'http://localhost:4318/v1/traces' */
  readonly url?: string | undefined
  /** Headers of every request, for instance a credential. Default: none */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Wire format. Default: 'http/protobuf' */
  readonly protocol?: 'http/protobuf' | 'http/json' | undefined
  /** Compression of requests. Default: 'none' */
  readonly compression?: 'gzip' | 'none' | undefined
  /** Time for one attempt, up to the last byte of the answer, in milliseconds. Default: 10000 */
  readonly timeout?: number | undefined
  /** Bytes of encoded spans that may wait; what exceeds them is dropped and counted. Default: 8 MiB */
  readonly maxQueueBytes?: number | undefined
  /** Spans that may wait besides. Default: Infinity */
  readonly maxQueueSpans?: number | undefined
  /** What gives way when the queue is full. Default: 'newest' */
  readonly dropPolicy?: DropPolicy | undefined
  /** Bytes of one request before compression, at most 64 MiB; one is sent early when so many wait. Default: 960 KiB */
  readonly maxRequestBytes?: number | undefined
  /** How requests are repeated that failed for a passing reason. */
  readonly retry?: RetryOptions | undefined
  /**
   * Learns of spans that were given up or refused, of those that a full queue dropped, together when it has room again or after a
   * minute, and of warnings, which lose none (`spans: 0`). Default: ignores it
   */
  readonly onError?: ((error: SpanExportError) => void) | undefined
  /** Where waits and timeouts read time. Default: the monotonic clock */
  readonly clock?: Clock | undefined
}

export interface RetryOptions {
  /** Wait before the first retry, in milliseconds; doubled for each further one, with 20 % jitter. Default: 1000 */
  readonly initialDelay?: number | undefined
  /** Longest wait between two attempts, in milliseconds. Default: 5000 */
  readonly maxDelay?: number | undefined
  /** Longest `Retry-After` that is waited for; one that asks for more is given up, in milliseconds. Default: 30000 */
  readonly maxRetryAfter?: number | undefined
  /** Time after which a request is given up, attempts and waits together, in milliseconds. Default: 60000 */
  readonly timeout?: number | undefined
}

const NAMES: OptionNames<OtlpExporterOptions> = {
  url: true,
  headers: true,
  protocol: true,
  compression: true,
  timeout: true,
  maxQueueBytes: true,
  maxQueueSpans: true,
  dropPolicy: true,
  maxRequestBytes: true,
  retry: true,
  onError: true,
  clock: true,
}

const RETRY_NAMES: OptionNames<RetryOptions> = {
  initialDelay: true,
  maxDelay: true,
  maxRetryAfter: true,
  timeout: true,
}

/** OTLP collectors need not accept more. */
const MAX_REQUEST = 64 * 1024 * 1024

/** @throws InvalidOptionError */
export function checkOtlp(options: OtlpExporterOptions): URL {
  checkOptions('', options, NAMES)
  const { url = 'http://localhost:4318/v1/traces', headers, retry = {}, maxRequestBytes } = options
  const parsed = typeof url === 'string' ? URL.parse(url) : null
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw new InvalidOptionError('url', 'an http or https URL', url)
  }
  if (headers !== undefined) checkHeaders('headers', headers)
  if (options.protocol !== undefined) {
    checkOneOf('protocol', options.protocol, ['http/protobuf', 'http/json'])
  }
  if (options.compression !== undefined) {
    checkOneOf('compression', options.compression, ['gzip', 'none'])
  }
  if (options.dropPolicy !== undefined) {
    checkOneOf('dropPolicy', options.dropPolicy, ['newest', 'oldest'])
  }
  if (options.timeout !== undefined) checkPositive('timeout', options.timeout)
  if (options.maxQueueBytes !== undefined) checkPositive('maxQueueBytes', options.maxQueueBytes)
  if (options.maxQueueSpans !== undefined) {
    checkPositiveOrInfinity('maxQueueSpans', options.maxQueueSpans)
  }
  if (maxRequestBytes !== undefined) checkRange('maxRequestBytes', maxRequestBytes, 1, MAX_REQUEST)
  checkOptions('retry', retry, RETRY_NAMES)
  for (const name of ['initialDelay', 'maxDelay', 'maxRetryAfter', 'timeout'] as const) {
    if (retry[name] !== undefined) checkPositive(`retry.${name}`, retry[name])
  }
  if (options.onError !== undefined) checkFunction('onError', options.onError)
  if (options.clock !== undefined) {
    checkClock('clock', options.clock)
  }
  return parsed
}
