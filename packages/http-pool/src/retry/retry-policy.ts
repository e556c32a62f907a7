import {
  checkBoolean,
  checkIntegerOrInfinity,
  checkNonNegative,
  checkRange,
  InvalidOptionError,
  type OptionRules,
  resolveOptions,
  withDefault,
} from '@millrace/kit'
import { IDEMPOTENT_METHODS } from './idempotent-methods.ts'

/** How failed attempts are tried again. */
export interface HttpRetryOptions {
  /** Attempts in all, the first included. At least 1. Default: 3 */
  readonly maxAttempts?: number | undefined
  /** Upper bound of the first delay in ms; it doubles with every attempt. Default: 100 */
  readonly baseDelay?: number | undefined
  /** Upper bound of every delay in ms; a longer `Retry-After` ends the attempts. Default: 20,000 */
  readonly maxDelay?: number | undefined
  /** Methods that may be sent twice. Default: the idempotent ones of RFC 9110 section 9.2.2, and QUERY */
  readonly methods?: readonly string[] | undefined
  /** Statuses worth another attempt. Default: 408, 425, 429, 500, 502, 503, 504 */
  readonly statuses?: readonly number[] | undefined
  /** Whether `Retry-After` sets the least delay. Default: true */
  readonly retryAfter?: boolean | undefined
  /** Retries per request that the whole pool may spend over ten seconds, beyond `budgetFloor`. From 0 to 1,000. Default: 0.2 */
  readonly budget?: number | undefined
  /** Retries per second that the budget always allows, so that a quiet client can retry. Default: 10 */
  readonly budgetFloor?: number | undefined
  /**
   * Failures in a row after which a host gets no retries: a failure takes one of this many tokens, a
   * success gives back a tenth, and there are retries while more than half are left; Infinity: always. The scheme is that of gRPC
   * (proposal A6). Default: 100
   */
  readonly hostTokens?: number | undefined
}

const TRANSIENT_STATUSES = [408, 425, 429, 500, 502, 503, 504]

const OPTIONS: OptionRules<HttpRetryOptions> = {
  maxAttempts: withDefault(3, checkIntegerOrInfinity, 1),
  baseDelay: withDefault(100, checkNonNegative),
  maxDelay: withDefault(20_000, checkNonNegative),
  methods: withDefault(IDEMPOTENT_METHODS, checkEach<string>, 'upper-case method names', isMethod),
  statuses: withDefault(
    TRANSIENT_STATUSES,
    checkEach<number>,
    'statuses from 400 to 599',
    isStatus,
  ),
  retryAfter: withDefault(true, checkBoolean),
  budget: withDefault(0.2, checkRange, 0, 1_000),
  budgetFloor: withDefault(10, checkNonNegative),
  hostTokens: withDefault(100, checkIntegerOrInfinity, 1),
}

/** The resolved form of {@link HttpRetryOptions}. */
export class RetryPolicy {
  readonly maxAttempts: number
  readonly baseDelay: number
  readonly maxDelay: number
  readonly honoursRetryAfter: boolean
  readonly budget: number
  readonly budgetFloor: number
  /** Undefined where failures of a host never end its retries. */
  readonly hostTokens: number | undefined
  readonly #methods: ReadonlySet<string>
  readonly #statuses: ReadonlySet<number>

  constructor(options: HttpRetryOptions = {}) {
    const settings = resolveOptions('retry', options, OPTIONS)
    this.maxAttempts = settings.maxAttempts
    this.baseDelay = settings.baseDelay
    this.maxDelay = settings.maxDelay
    this.honoursRetryAfter = settings.retryAfter
    this.budget = settings.budget
    this.budgetFloor = settings.budgetFloor
    this.hostTokens = settings.hostTokens === Infinity ? undefined : settings.hostTokens
    this.#methods = new Set(settings.methods)
    this.#statuses = new Set(settings.statuses)
  }

  allowsMethod(method: string): boolean {
    return this.#methods.has(method)
  }

  allowsStatus(status: number): boolean {
    return this.#statuses.has(status)
  }

  /**
   * Full jitter: anything between nothing and the exponential bound, which spreads clients that failed
   * together best (AWS Architecture Blog, "Exponential Backoff And Jitter").
   */
  delay(retry: number, random: () => number): number {
    return random() * Math.min(this.maxDelay, this.baseDelay * 2 ** retry)
  }
}

function isMethod(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && value === value.toUpperCase()
}

function isStatus(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 400 && (value as number) <= 599
}

function checkEach<T>(
  option: string,
  value: readonly T[],
  expected: string,
  isValid: (value: unknown) => boolean,
): readonly T[] {
  if (!Array.isArray(value) || !value.every(isValid)) {
    throw new InvalidOptionError(option, `an array of ${expected}`, value)
  }
  return value
}
