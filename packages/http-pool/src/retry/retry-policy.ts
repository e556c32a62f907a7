import {
  checkBoolean,
  checkIntegerOrInfinity,
  checkNonNegative,
  checkOptions,
  checkRange,
  InvalidOptionError,
  type OptionNames,
} from '@millrace/kit'
import { IDEMPOTENT_METHODS } from './idempotent-methods.ts'

/** How failed attempts are tried again. */
export interface RetryOptions {
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
   * success gives back a tenth, and there are retries while more than half are left. The scheme is that of gRPC (proposal A6). Default: 100
   */
  readonly hostTokens?: number | undefined
}

const TRANSIENT_STATUSES = [408, 425, 429, 500, 502, 503, 504]

const OPTION_NAMES: OptionNames<RetryOptions> = {
  maxAttempts: true,
  baseDelay: true,
  maxDelay: true,
  methods: true,
  statuses: true,
  retryAfter: true,
  budget: true,
  budgetFloor: true,
  hostTokens: true,
}

/** The resolved form of {@link RetryOptions}. */
export class RetryPolicy {
  readonly maxAttempts: number
  readonly baseDelay: number
  readonly maxDelay: number
  readonly honoursRetryAfter: boolean
  readonly budget: number
  readonly budgetFloor: number
  readonly hostTokens: number
  readonly #methods: ReadonlySet<string>
  readonly #statuses: ReadonlySet<number>

  constructor(options: RetryOptions = {}) {
    checkOptions('retry', options, OPTION_NAMES)
    const {
      maxAttempts = 3,
      baseDelay = 100,
      maxDelay = 20_000,
      retryAfter = true,
      budget = 0.2,
      budgetFloor = 10,
      hostTokens = 100,
      methods = IDEMPOTENT_METHODS,
      statuses = TRANSIENT_STATUSES,
    } = options
    this.maxAttempts = checkIntegerOrInfinity('retry.maxAttempts', maxAttempts, 1)
    this.baseDelay = checkNonNegative('retry.baseDelay', baseDelay)
    this.maxDelay = checkNonNegative('retry.maxDelay', maxDelay)
    this.honoursRetryAfter = checkBoolean('retry.retryAfter', retryAfter)
    this.budget = checkRange('retry.budget', budget, 0, 1_000)
    this.budgetFloor = checkNonNegative('retry.budgetFloor', budgetFloor)
    this.hostTokens = checkIntegerOrInfinity('retry.hostTokens', hostTokens, 1)
    this.#methods = new Set(list('retry.methods', methods, 'upper-case method names', isMethod))
    this.#statuses = new Set(list('retry.statuses', statuses, 'statuses from 400 to 599', isStatus))
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

function list<T>(
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
