import {
  checkBoolean,
  checkClock,
  checkInteger,
  checkList,
  checkMethods,
  checkOneOf,
  checkPositive,
  checkRange,
  checkRecord,
  checkShare,
  checkText,
  InvalidOptionError,
  nested,
  type OptionRules,
  optional,
  type Resolved,
  required,
  resolveOptions,
  withDefault,
} from '@millrace/kit'
import type { Exporter } from '../export/exporter.ts'
import { PROPAGATORS, type PropagatorName } from '../propagation/propagation.ts'
import type { Sampler } from '../sampling/sampler.ts'
import { ratio } from '../sampling/samplers.ts'
import {
  TAIL_RULES,
  type TailSamplingOptions,
  type TailSettings,
} from '../sampling/tail-sampling.ts'
import type { Attributes, Scope } from '../span/api/span.ts'
import { AttributeList } from '../span/attributes/attribute-list.ts'
import { LIMIT_RULES, type SpanLimits } from '../span/recorded/span-limits.ts'
import { type EpochClock, epochClock } from '../time/clock.ts'
import { GuardedClock } from '../time/guarded-clock.ts'

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
   * comes, unless the program has a listener of its own. Those of `os.constants.signals` but SIGKILL and SIGSTOP. Normal exit always flushes. Default: ['SIGTERM', 'SIGINT']
   */
  readonly signals?: readonly NodeJS.Signals[] | undefined
  /** Longest time a flush at a signal or normal exit may take, in milliseconds, above 0 and finite. Default: 5,000 */
  readonly exitTimeout?: number | undefined
  /** Where the tracer reads time. Default: the monotonic clock, anchored to the wall clock */
  readonly clock?: EpochClock | undefined
}

/** What {@link TracerOptions} come to. */
export interface TracerSettings
  extends Resolved<
    Omit<TracerOptions, 'tail' | 'scope' | 'optimized' | 'limits'>,
    'service' | 'resource' | 'exporter' | 'propagators' | 'budget'
  > {
  readonly tail: TailSettings | undefined
  readonly scope: Scope
  /** In percent. */
  readonly optimized: number
  readonly limits: Resolved<SpanLimits>
}

const EXPORTER_METHODS: readonly (keyof Exporter)[] = ['write', 'send', 'flush', 'close', 'stats']

const OPTIONS: OptionRules<TracerOptions, TracerSettings> = {
  service: optional(checkText),
  resource: optional(checkAttributes),
  exporter: optional(checkMethods<Exporter>, 'an exporter', EXPORTER_METHODS),
  sampler: withDefault(ratio(1), checkSampler),
  tail: optional(nested(TAIL_RULES)),
  scope: withDefault({ name: '@millrace/tracer' }, resolveScope),
  enabled: withDefault(true, checkBoolean),
  pool: withDefault(1_000, checkInteger, 0, 1_000_000),
  lazy: withDefault(true, checkBoolean),
  optimized: withDefault(100, checkPercent),
  limits: nested(LIMIT_RULES),
  propagators: optional(checkPropagators),
  budget: optional(checkShare),
  batchSize: withDefault(100, checkInteger, 1, 10_000),
  delay: withDefault(5_000, checkPositive),
  signals: withDefault(['SIGTERM', 'SIGINT'], checkSignals),
  exitTimeout: withDefault(5_000, checkPositive),
  clock: (option, clock) =>
    clock === undefined || clock === epochClock
      ? epochClock
      : new GuardedClock(checkClock(option, clock as EpochClock)),
}

const SCOPE: OptionRules<Scope, Resolved<Scope, 'version' | 'schemaUrl' | 'attributes'>> = {
  name: required(checkText),
  version: optional(checkText),
  schemaUrl: optional(checkText),
  // As they are now: scopes are encoded when their first span is, and again with each request.
  attributes: optional((option, attributes: Attributes) =>
    AttributeList.of(checkAttributes(option, attributes)).toObject(),
  ),
}

/** @throws InvalidOptionError */
export function resolveTracer(options: TracerOptions): TracerSettings {
  return resolveOptions('', options, OPTIONS)
}

/** @throws InvalidOptionError */
export function resolveScope(option: string, scope: Scope): Scope {
  return resolveOptions(option, scope, SCOPE)
}

function checkAttributes(option: string, attributes: Attributes): Attributes {
  return checkRecord(option, attributes, 'an object of attributes')
}

function checkPercent(option: string, share: boolean | number): number {
  if (typeof share === 'boolean') return share ? 100 : 0
  return checkRange(option, share, 0, 100)
}

function checkPropagators(option: string, names: readonly PropagatorName[]): PropagatorName[] {
  return checkList(option, names).map(name => checkOneOf(option, name, PROPAGATORS))
}

/** They end or stop a process that is not asked. */
const UNCATCHABLE: ReadonlySet<string> = new Set(['SIGKILL', 'SIGSTOP'])

function checkSignals(option: string, signals: readonly NodeJS.Signals[]): NodeJS.Signals[] {
  // Not imported at the top: the loader takes longer for it than for a module of this package.
  const known = process.getBuiltinModule('node:os').constants.signals
  for (const signal of checkList(option, signals)) {
    if (typeof signal === 'string' && Object.hasOwn(known, signal) && !UNCATCHABLE.has(signal))
      continue
    throw new InvalidOptionError(option, 'names of signals that a process can catch', signal)
  }
  return [...signals]
}

function checkSampler(option: string, sampler: Sampler): Sampler {
  const { probability } = checkMethods(option, sampler, 'a sampler', ['sample'])
  if (probability !== undefined) checkRange(`${option}.probability`, probability, 0, 1)
  return sampler
}
