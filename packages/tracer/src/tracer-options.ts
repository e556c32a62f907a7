import type { Clock } from './clock.ts'
import { InvalidOptionError } from './errors.ts'
import type { Exporter } from './export/exporter.ts'
import { PROPAGATORS, type PropagatorName } from './propagation/propagation.ts'
import type { Sampler } from './sampling/sampler.ts'
import type { TailSamplingOptions } from './sampling/tail-sampling.ts'
import type { Attributes } from './span/span.ts'
import type { SpanLimits } from './span/span-limits.ts'

export interface TracerOptions {
  /** Name of the service, `service.name` of the resource. @default 'unknown_service:node' */
  service?: string
  /** Further attributes of the resource: what is the same for all spans of the process. */
  resource?: Attributes
  /** Where ended spans go. @default none: nothing is recorded, as if `enabled` were false */
  exporter?: Exporter
  /** Which traces are recorded. @default ratio(1): all, except where a parent says no */
  sampler?: Sampler
  /**
   * Record every trace and decide at the end of its root: keep the slow, the failed, and those that `sampler` picked. Other
   * processes are told the sampler's decision. @default none
   */
  tail?: TailSamplingOptions
  /** Name and version of the instrumented library, the `scope` of exported spans. @default '@millrace/tracer' */
  scope?: { name: string; version?: string; schemaUrl?: string; attributes?: Attributes }
  /** False: no span is recorded and wrappers return the function itself. @default true */
  enabled?: boolean
  /**
   * Span records kept for reuse, made when they are first needed: about 400 bytes each. Spans beyond work, and are
   * allocated one by one.
   * 0 to 1,000,000. @default 1000
   */
  pool?: number
  /** Keep attributes raw and encode them at export; false resolves each at once. For comparison. @default true */
  lazy?: boolean
  /**
   * Percentage of traces (0 to 100, or false and true) on the pooled path; the rest takes the plain one. Changed while
   * running by `tracer.setOptimized`. @default 100
   */
  optimized?: boolean | number
  limits?: SpanLimits
  /**
   * Headers that travel to and from other processes, where `/auto` and `/otel` read and write them.
   * @default ['tracecontext', 'baggage']
   */
  propagators?: readonly PropagatorName[]
  /**
   * Share of one core that tracing may use, for instance 0.005. The tracer measures itself each second and lowers the share
   * of new traces that is recorded until it fits. @default none
   */
  budget?: number
  /** Ended spans handed to the exporter in one slice, 1 to 10,000. @default 100 */
  batchSize?: number
  /** Longest time an ended span waits before it is sent, in milliseconds. @default 5000 */
  delay?: number
  /**
   * Signals that flush before they end the process. The signal is raised again afterwards unless the program has a
   * listener of its own. Normal exit always flushes. @default ['SIGTERM', 'SIGINT']
   */
  signals?: readonly NodeJS.Signals[]
  /** Longest time a flush at a signal or normal exit may take, in milliseconds. @default 5000 */
  exitTimeout?: number
  clock?: Clock
}

/** Checks the options that are numbers. @throws InvalidOptionError */
export function validate(options: TracerOptions): void {
  const { pool, batchSize, delay, optimized, exitTimeout, limits = {} } = options
  if (pool !== undefined) integer('pool', pool, 0, 1_000_000)
  if (batchSize !== undefined) integer('batchSize', batchSize, 1, 10_000)
  positive('delay', delay)
  positive('exitTimeout', exitTimeout)
  if (typeof optimized === 'number') percentage('optimized', optimized)
  for (const [name, value] of Object.entries(limits)) {
    if (value === Number.POSITIVE_INFINITY && name === 'valueLength') continue
    if (value !== undefined) integer(`limits.${name}`, value, 0, 1_000_000_000)
  }
  if (options.budget !== undefined && !(options.budget > 0 && options.budget <= 1)) {
    throw new InvalidOptionError('budget', 'a number above 0, at most 1', options.budget)
  }
  validateTail(options.tail)
  const { exporter, propagators = [] } = options
  if (!Array.isArray(propagators) || propagators.some(name => !PROPAGATORS.includes(name))) {
    throw new InvalidOptionError(
      'propagators',
      `a list of ${PROPAGATORS.map(name => `'${name}'`).join(' and ')}`,
      propagators,
    )
  }
  if (exporter !== undefined && typeof exporter?.write !== 'function') {
    throw new InvalidOptionError('exporter', 'an exporter', exporter)
  }
  if (options.sampler !== undefined && typeof options.sampler?.sample !== 'function') {
    throw new InvalidOptionError('sampler', 'a sampler', options.sampler)
  }
}

/** @throws InvalidOptionError unless `value` is a number from 0 to 100 */
export function percentage(name: string, value: number): void {
  if (!(value >= 0 && value <= 100)) {
    throw new InvalidOptionError(name, 'a number from 0 to 100', value)
  }
}

function validateTail({ quantile, slowerThan, maxSpans, maxAge }: TailSamplingOptions = {}): void {
  if (quantile !== undefined && !(quantile > 0 && quantile <= 1)) {
    throw new InvalidOptionError('tail.quantile', 'a number above 0, at most 1', quantile)
  }
  if (slowerThan !== Number.POSITIVE_INFINITY) positive('tail.slowerThan', slowerThan)
  if (maxSpans !== undefined) integer('tail.maxSpans', maxSpans, 1, 10_000_000)
  positive('tail.maxAge', maxAge)
}

function integer(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return
  throw new InvalidOptionError(name, `an integer from ${min} to ${max}`, value)
}

function positive(name: string, value: number | undefined): void {
  if (value === undefined || (Number.isFinite(value) && value > 0)) return
  throw new InvalidOptionError(name, 'a finite number above 0', value)
}
