import {
  checkBoolean,
  checkClock,
  checkInteger,
  checkList,
  checkMethods,
  checkOneOf,
  checkOptions,
  checkPositive,
  checkRange,
  checkRecord,
  checkText,
  InvalidOptionError,
  type OptionNames,
} from '@millrace/kit'
import type { Exporter } from '../export/exporter.ts'
import { PROPAGATORS, type PropagatorName } from '../propagation/propagation.ts'
import type { Sampler } from '../sampling/sampler.ts'
import { checkTail, type TailSamplingOptions } from '../sampling/tail-sampling.ts'
import type { Attributes, Scope } from '../span/api/span.ts'
import { checkLimits, type SpanLimits } from '../span/recorded/span-limits.ts'
import type { EpochClock } from '../time/clock.ts'

export interface TracerOptions {
  /** Name of the service, `service.name` of the resource. Default: 'unknown_service:node' */
  readonly service?: string | undefined
  /** Further attributes of the resource: what is the same for all spans of the process. Default: none */
  readonly resource?: Attributes | undefined
  /** Where ended spans go. Default: none, so that nothing is recorded, as if `enabled` were false */
  readonly exporter?: Exporter | undefined
  /** Which traces are recorded. Default: ratio(1), all except where a parent says no */
  readonly sampler?: Sampler | undefined
  /**
   * Record every trace and decide at the end of its root: keep the slow, the failed, and those that `sampler` picked. Other
   * processes are told the sampler's decision. Default: none
   */
  readonly tail?: TailSamplingOptions | undefined
  /** Name and version of the instrumented library, the `scope` of exported spans. Default: '@millrace/tracer' */
  readonly scope?: Scope | undefined
  /** False: no span is recorded and wrappers return the function itself. Default: true */
  readonly enabled?: boolean | undefined
  /**
   * Span records kept for reuse, made when they are first needed: about 400 bytes each. Spans beyond work, and are
   * allocated one by one. 0 to 1,000,000. Default: 1000
   */
  readonly pool?: number | undefined
  /** Keep attributes raw and encode them at export; false resolves each at once. For comparison. Default: true */
  readonly lazy?: boolean | undefined
  /**
   * Percentage of traces (0 to 100, or false and true) on the pooled path; the rest takes the plain one. Changed while
   * running by `tracer.setOptimized`. Default: 100
   */
  readonly optimized?: boolean | number | undefined
  /** How much one span may hold. Default: 128 of everything, values of any length */
  readonly limits?: SpanLimits | undefined
  /**
   * Headers that travel to and from other processes: W3C's `tracecontext` and `baggage`, Zipkin's `b3` (one header) and `b3multi`. All of
   * them are written; of several valid parents the last one counts. Used by `/auto`, `/otel` and `tracer.propagation`. Default:
   * ['tracecontext', 'baggage']
   */
  readonly propagators?: readonly PropagatorName[] | undefined
  /**
   * Share of one core that tracing may use, for instance 0.005. The tracer measures itself each second and lowers the share
   * of new traces that is recorded until it fits. Default: none
   */
  readonly budget?: number | undefined
  /** Ended spans handed to the exporter in one slice, 1 to 10,000. Default: 100 */
  readonly batchSize?: number | undefined
  /** Longest time an ended span waits before it is sent, in milliseconds. Default: 5000 */
  readonly delay?: number | undefined
  /**
   * Signals that flush before they end the process. The signal is raised again afterwards, or at once where a second one
   * comes, unless the program has a listener of its own. Normal exit always flushes. Default: ['SIGTERM', 'SIGINT']
   */
  readonly signals?: readonly NodeJS.Signals[] | undefined
  /** Longest time a flush at a signal or normal exit may take, in milliseconds. Default: 5000 */
  readonly exitTimeout?: number | undefined
  /** Where the tracer reads time. Default: the monotonic clock, anchored to the wall clock */
  readonly clock?: EpochClock | undefined
}

const NAMES: OptionNames<TracerOptions> = {
  service: true,
  resource: true,
  exporter: true,
  sampler: true,
  tail: true,
  scope: true,
  enabled: true,
  pool: true,
  lazy: true,
  optimized: true,
  limits: true,
  propagators: true,
  budget: true,
  batchSize: true,
  delay: true,
  signals: true,
  exitTimeout: true,
  clock: true,
}

const SCOPE_NAMES: OptionNames<Scope> = {
  name: true,
  version: true,
  schemaUrl: true,
  attributes: true,
}

/** @throws InvalidOptionError */
export function checkScope(scope: Scope): void {
  checkOptions('scope', scope, SCOPE_NAMES)
  checkText('scope.name', scope.name)
  for (const name of ['version', 'schemaUrl'] as const) {
    if (scope[name] !== undefined) checkText(`scope.${name}`, scope[name])
  }
  if (scope.attributes !== undefined) {
    checkRecord('scope.attributes', scope.attributes, 'an object of attributes')
  }
}

/** @throws InvalidOptionError */
export function checkTracerOptions(options: TracerOptions): void {
  checkOptions('', options, NAMES)
  const { exporter, sampler, clock, optimized, budget, scope, propagators } = options
  if (options.service !== undefined) checkText('service', options.service)
  if (options.enabled !== undefined) checkBoolean('enabled', options.enabled)
  if (options.lazy !== undefined) checkBoolean('lazy', options.lazy)
  if (options.pool !== undefined) checkInteger('pool', options.pool, 0, 1_000_000)
  if (options.batchSize !== undefined) checkInteger('batchSize', options.batchSize, 1, 10_000)
  if (options.delay !== undefined) checkPositive('delay', options.delay)
  if (options.exitTimeout !== undefined) checkPositive('exitTimeout', options.exitTimeout)
  if (optimized !== undefined && typeof optimized !== 'boolean') {
    checkRange('optimized', optimized, 0, 100)
  }
  if (budget !== undefined && !(typeof budget === 'number' && budget > 0 && budget <= 1)) {
    throw new InvalidOptionError('budget', 'a number above 0, at most 1', budget)
  }
  if (options.resource !== undefined) {
    checkRecord('resource', options.resource, 'an object of attributes')
  }
  if (options.limits !== undefined) checkLimits(options.limits)
  if (options.tail !== undefined) checkTail(options.tail)
  if (scope !== undefined) checkScope(scope)
  if (propagators !== undefined) {
    for (const name of checkList('propagators', propagators)) {
      checkOneOf('propagators', name, PROPAGATORS)
    }
  }
  if (options.signals !== undefined) {
    for (const signal of checkList('signals', options.signals)) checkText('signals', signal)
  }
  if (exporter !== undefined) checkMethods('exporter', exporter, 'an exporter', EXPORTER_METHODS)
  if (sampler !== undefined) {
    const { probability } = checkMethods('sampler', sampler, 'a sampler', ['sample'])
    if (probability !== undefined) checkRange('sampler.probability', probability, 0, 1)
  }
  if (clock !== undefined) checkClock('clock', clock)
}

const EXPORTER_METHODS: readonly (keyof Exporter)[] = ['write', 'send', 'flush', 'close', 'stats']
