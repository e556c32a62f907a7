import { InvalidOptionError } from '../errors.ts'
import { atLeast, count, flag, onlyKnown, ratio, wait } from '../options/check.ts'
import { idempotentMethods } from './idempotent-methods.ts'

/** How failed attempts are tried again. */
export interface RetryOptions {
  /** Attempts in all, the first included. Default 3, at least 1. */
  maxAttempts?: number
  /** Upper bound of the first delay in ms; it doubles with every attempt. Default 100. */
  baseDelay?: number
  /** Upper bound of every delay in ms; a longer `Retry-After` ends the attempts. Default 20,000. */
  maxDelay?: number
  /** Methods that may be sent twice. Default: the idempotent ones of RFC 9110 section 9.2.2, and QUERY. */
  methods?: readonly string[]
  /** Statuses worth another attempt. Default 408, 425, 429, 500, 502, 503, 504. */
  statuses?: readonly number[]
  /** Whether `Retry-After` sets the least delay. Default true. */
  retryAfter?: boolean
  /** Retries per request that the whole pool may spend over ten seconds, beyond `budgetFloor`. Default 0.2. */
  budget?: number
  /** Retries per second that the budget always allows, so that a quiet client can retry. Default 10. */
  budgetFloor?: number
  /**
   * Failures in a row after which a host gets no retries: a failure takes one of this many tokens, a
   * success gives back a tenth, and there are retries while more than half are left. Default 100.
   * The scheme is that of gRPC (proposal A6).
   */
  hostTokens?: number
}

const transientStatuses = [408, 425, 429, 500, 502, 503, 504]

const optionNames = [
  'maxAttempts',
  'baseDelay',
  'maxDelay',
  'methods',
  'statuses',
  'retryAfter',
  'budget',
  'budgetFloor',
  'hostTokens',
] as const satisfies readonly (keyof RetryOptions)[]

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
    onlyKnown('retry', options, optionNames)
    this.maxAttempts = count('retry.maxAttempts', options.maxAttempts, 3)
    this.baseDelay = wait('retry.baseDelay', options.baseDelay, 100)
    this.maxDelay = wait('retry.maxDelay', options.maxDelay, 20_000)
    this.honoursRetryAfter = flag('retry.retryAfter', options.retryAfter, true)
    this.budget = ratio('retry.budget', options.budget, 0.2, 0, 1000)
    this.budgetFloor = atLeast('retry.budgetFloor', options.budgetFloor, 10, 0)
    this.hostTokens = count('retry.hostTokens', options.hostTokens, 100)
    const { methods = idempotentMethods, statuses = transientStatuses } = options
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
