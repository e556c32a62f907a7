export { checkWrapped } from './check-wrapped.ts'
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
  checkPositive,
  checkPositiveOrInfinity,
  checkRange,
  checkRecord,
  checkShare,
  checkSignal,
  checkText,
  NULLABLE,
  type OptionNames,
} from './checks.ts'
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
export { describe } from './describe.ts'
export {
  type GeneratorWatch,
  isGenerator,
  isGeneratorFunction,
  watchGenerator,
} from './generators.ts'
export { heed } from './heed.ts'
export { exchange, type HttpAnswer } from './http-exchange.ts'
export { HTTP_METHODS } from './http-methods.ts'
export { HttpRoutes, type RouteFinder, setHttpRoute } from './http-route.ts'
export { imitate } from './imitate.ts'
export { InvalidOptionError } from './invalid-option-error.ts'
export { OperationChannels } from './operation-channels.ts'
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
} from './option-rules.ts'
export { type PartialSuccess, readPartialSuccess } from './otlp-partial-success.ts'
export { type IgnoredPaths, pathFilter } from './path-filter.ts'
export { requestPath } from './request-path.ts'
export { retryAfter } from './retry-after.ts'
export {
  type RequestHead,
  type ServedAnswer,
  type ServedRequest,
  watchServedRequests,
} from './served-requests.ts'
export {
  counters,
  describeStats,
  gauges,
  type StatsKind,
  type StatsKinds,
  statsKindsOf,
} from './stats-kinds.ts'
export {
  type BareItem,
  parseDictionary,
  parseList,
  type StructuredItem,
  serializeString,
} from './structured-fields.ts'
export { tell } from './tell.ts'
export { isThenable } from './thenable.ts'
