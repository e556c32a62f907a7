import {
  type Clock,
  checkClock,
  checkFunction,
  checkHeaders,
  checkPositive,
  checkPositiveOrInfinity,
  checkRange,
  InvalidOptionError,
  monotonicClock,
  nested,
  type OptionRules,
  oneOf,
  type Resolved,
  resolveOptions,
  withDefault,
} from '@millrace/kit'
import type { SpanExportError } from '../export/span-export-error.ts'
import { warnOfLoss } from '../export/warn-of-loss.ts'
import type { DropPolicy } from './chunk-queue.ts'

export interface OtlpTraceExporterOptions {
  /** Address that spans are posted to, used as it is. Default: 'http://localhost:4318/v1/traces' */
  readonly url?: string | undefined
  /** Headers of every request, for instance a credential. Default: none */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Wire format. Default: 'http/protobuf' */
  readonly protocol?: 'http/protobuf' | 'http/json' | undefined
  /** Compression of requests. Default: 'none' */
  readonly compression?: 'gzip' | 'none' | undefined
  /** Time for one attempt, up to the last byte of the answer, in milliseconds, above 0 and finite. Default: 10,000 */
  readonly timeout?: number | undefined
  /** Bytes of encoded spans that may wait; what exceeds them is dropped and counted. Default: 8 MiB */
  readonly maxQueueBytes?: number | undefined
  /** Spans that may wait besides. Default: Infinity */
  readonly maxQueueSpans?: number | undefined
  /** What gives way when the queue is full. Default: 'newest' */
  readonly dropPolicy?: DropPolicy | undefined
  /** Bytes of one request before compression, at most 64 MiB; one is sent early when so many wait. Default: 960 KiB */
  readonly maxRequestBytes?: number | undefined
  /** How requests are repeated that failed for a passing reason. Default: the defaults of {@link RetryOptions} */
  readonly retry?: RetryOptions | undefined
  /**
   * Learns of spans that were given up or refused, of those that a full queue dropped, together when it has room again or after a
   * minute, and of warnings, which lose none (`spans: 0`). Default: a process warning, the first time that spans are lost
   */
  readonly onError?: ((error: SpanExportError) => void) | undefined
  /** Where waits and timeouts read time. Default: the monotonic clock */
  readonly clock?: Clock | undefined
}

export interface RetryOptions {
  /** Wait before the first retry, in milliseconds; doubled for each further one, with 20 % jitter. Default: 1000 */
  readonly baseDelay?: number | undefined
  /** Longest wait between two attempts, in milliseconds. Default: 5000 */
  readonly maxDelay?: number | undefined
  /** Longest `Retry-After` that is waited for; one that asks for more is given up, in milliseconds. Default: 30000 */
  readonly maxRetryAfter?: number | undefined
  /** Time after which a request is given up, attempts and waits together, in milliseconds, above 0 and finite. Default: 60,000 */
  readonly timeout?: number | undefined
}

/** What {@link OtlpTraceExporterOptions} come to. */
export interface OtlpSettings extends Omit<Resolved<OtlpTraceExporterOptions>, 'url' | 'retry'> {
  readonly url: URL
  readonly retry: Resolved<RetryOptions>
}

/** Just below what proxies such as nginx accept unasked; fewer, larger requests cost less. Benchmark case: "10 attributes, exported". */
const REQUEST_BYTES = 960 * 1024
/** OTLP collectors need not accept more. */
const MAX_REQUEST_BYTES = 64 * 1024 * 1024

const RETRY: OptionRules<RetryOptions> = {
  baseDelay: withDefault(1_000, checkPositive),
  maxDelay: withDefault(5_000, checkPositive),
  maxRetryAfter: withDefault(30_000, checkPositive),
  timeout: withDefault(60_000, checkPositive),
}

const OPTIONS: OptionRules<OtlpTraceExporterOptions, OtlpSettings> = {
  url: (option, url = 'http://localhost:4318/v1/traces') => checkUrl(option, url),
  headers: withDefault({}, checkHeaders),
  protocol: oneOf('http/protobuf', 'http/json'),
  compression: oneOf('none', 'gzip'),
  timeout: withDefault(10_000, checkPositive),
  maxQueueBytes: withDefault(8 * 1024 * 1024, checkPositive),
  maxQueueSpans: withDefault(Infinity, checkPositiveOrInfinity),
  dropPolicy: oneOf('newest', 'oldest'),
  maxRequestBytes: withDefault(REQUEST_BYTES, checkRange, 1, MAX_REQUEST_BYTES),
  retry: nested(RETRY),
  onError: (option, given = warnOfLoss()) =>
    checkFunction(option, given as OtlpSettings['onError']),
  clock: withDefault(monotonicClock, checkClock<Clock>),
}

/** @throws InvalidOptionError */
export function resolveOtlp(options: OtlpTraceExporterOptions): OtlpSettings {
  return resolveOptions('', options, OPTIONS)
}

function checkUrl(option: string, url: unknown): URL {
  const parsed = typeof url === 'string' ? URL.parse(url) : null
  if (parsed !== null && /^https?:$/.test(parsed.protocol)) return parsed
  throw new InvalidOptionError(option, 'an http or https URL', url)
}
