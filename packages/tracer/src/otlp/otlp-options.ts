import type { Clock } from '../clock.ts'
import { type ExportError, InvalidOptionError } from '../errors.ts'
import type { DropPolicy } from './chunk-queue.ts'

export interface OtlpExporterOptions {
  /** Address that spans are posted to, used as it is. @default 'http://localhost:4318/v1/traces' */
  url?: string
  headers?: Record<string, string>
  /** Wire format. @default 'http/protobuf' */
  protocol?: 'http/protobuf' | 'http/json'
  /** @default 'none' */
  compression?: 'gzip' | 'none'
  /** Time for one attempt, in milliseconds. @default 10000 */
  timeout?: number
  /** Bytes of encoded spans that may wait; what exceeds them is dropped and counted. @default 8 MiB */
  maxQueueBytes?: number
  /** Spans that may wait besides. @default Infinity */
  maxQueueSpans?: number
  /** What gives way when the queue is full. @default 'newest' */
  dropPolicy?: DropPolicy
  /** Bytes of one request before compression; one is sent early when so many wait. @default 512 KiB */
  maxRequestBytes?: number
  retry?: RetryOptions
  /** Learns of spans that were given up. Not called for a full queue, which is counted. @default ignores it */
  onError?: (error: ExportError) => void
  clock?: Clock
}

export interface RetryOptions {
  /** Wait before the first retry, in milliseconds; doubled for each further one, with 20 % jitter. @default 1000 */
  initialDelay?: number
  /** Longest wait between two attempts, in milliseconds. @default 5000 */
  maxDelay?: number
  /** Time after which a request is given up, in milliseconds. @default 60000 */
  giveUpAfter?: number
}

/** OTLP collectors need not accept more. */
const MAX_REQUEST = 64 * 1024 * 1024

/** @throws InvalidOptionError */
export function validateOtlp(options: OtlpExporterOptions): URL {
  const { url = 'http://localhost:4318/v1/traces', retry = {}, protocol } = options
  const parsed = URL.parse(url)
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw new InvalidOptionError('url', 'an http or https URL', url)
  }
  if (protocol !== undefined && protocol !== 'http/protobuf' && protocol !== 'http/json') {
    throw new InvalidOptionError('protocol', "'http/protobuf' or 'http/json'", protocol)
  }
  positive('timeout', options.timeout)
  positive('maxQueueBytes', options.maxQueueBytes)
  if (options.maxQueueSpans !== Number.POSITIVE_INFINITY)
    positive('maxQueueSpans', options.maxQueueSpans)
  positive('maxRequestBytes', options.maxRequestBytes, MAX_REQUEST)
  positive('retry.initialDelay', retry.initialDelay)
  positive('retry.maxDelay', retry.maxDelay)
  positive('retry.giveUpAfter', retry.giveUpAfter)
  return parsed
}

function positive(name: string, value: number | undefined, max = Number.MAX_SAFE_INTEGER): void {
  if (value === undefined || (value > 0 && value <= max)) return
  throw new InvalidOptionError(name, `a number above 0, at most ${max}`, value)
}
