export { checkWrapped } from './calls/check-wrapped.ts'
export { failOnLostOutput } from './calls/fail-on-lost-output.ts'
export {
  type GeneratorWatch,
  isGenerator,
  isGeneratorFunction,
  watchGenerator,
} from './calls/generators.ts'
export { heed } from './calls/heed.ts'
export { imitate } from './calls/imitate.ts'
export { isError } from './calls/is-error.ts'
export { OperationChannels, traceOperation } from './calls/operation-channels.ts'
export { tell } from './calls/tell.ts'
export { textOf } from './calls/text-of.ts'
export { isThenable } from './calls/thenable.ts'
export { warn } from './calls/warn.ts'
export { type BreakerSettings, breakerRule, CircuitBreaker } from './circuit-breaker.ts'
export {
  type Clock,
  LONGEST_DELAY,
  monotonicClock,
  setAwaitedTimer,
  setSystemTimer,
  type Timer,
  type TimeSource,
  wallClock,
} from './clock.ts'
export { slotOf } from './cluster-slot.ts'
export { exchange, type HttpAnswer } from './http/http-exchange.ts'
export { HTTP_METHODS } from './http/http-methods.ts'
export { HttpRoutes, type RouteFinder, setHttpRoute } from './http/http-route.ts'
export { type PartialSuccess, readPartialSuccess } from './http/otlp-partial-success.ts'
export { type IgnoredPaths, pathFilter } from './http/path-filter.ts'
export { requestPath } from './http/request-path.ts'
export { httpDate, retryAfter } from './http/retry-after.ts'
export {
  type RequestHead,
  type ServedAnswer,
  type ServedRequest,
  watchServedRequests,
} from './http/served-requests.ts'
export {
  type BareItem,
  parseDictionary,
  parseList,
  type StructuredItem,
  serializeString,
} from './http/structured-fields.ts'
export {
  checkAtLeast,
  checkBoolean,
  checkClock,
  checkFunction,
  checkHeaders,
  checkInteger,
  checkIntegerOrInfinity,
  checkList,
  checkMethods,
  checkNonNegative,
  checkNonNegativeOrInfinity,
  checkOneOf,
  checkOptions,
  checkPath,
  checkPositive,
  checkPositiveOrInfinity,
  checkRange,
  checkRecord,
  checkShare,
  checkSignal,
  checkText,
  NULLABLE,
  type OptionNames,
} from './options/checks.ts'
export { defined } from './options/defined.ts'
export { describe } from './options/describe.ts'
export { InvalidOptionError } from './options/invalid-option-error.ts'
export {
  applyRules,
  asGiven,
  nested,
  type OptionRule,
  type OptionRules,
  oneOf,
  optional,
  type Resolved,
  required,
  resolveOptions,
  withDefault,
} from './options/option-rules.ts'
export {
  counters,
  describeStats,
  gauges,
  type StatsKind,
  type StatsKinds,
  statsKindsOf,
} from './stats-kinds.ts'
