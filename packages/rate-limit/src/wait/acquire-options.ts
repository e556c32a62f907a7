import {
  checkNonNegativeOrInfinity,
  checkOptions,
  checkSignal,
  InvalidOptionError,
} from '@millrace/kit'

/** How a call waits. */
export interface AcquireOptions {
  /**
   * How long the call is willing to wait, in ms. A wait known to be longer is refused at once with its length; 0 never waits.
   * Default: Infinity, no limit
   */
  readonly timeout?: number | undefined
  /** Ends the wait with `signal.reason`; nothing is spent then. */
  readonly signal?: AbortSignal | undefined
  /** 0 is served first, 9 last. Only calls that wait are compared. Default: 5 */
  readonly priority?: number | undefined
  /** Whose turn this is, where the limiter shares its rate among keys by a {@link FairOrder}. Default: none, one line for all that say none */
  readonly key?: string | undefined
  /** Permits asked for; an alternative to the first argument. Default: 1 */
  readonly cost?: number | undefined
}

/** What a call receives with its permit. */
export interface Admission {
  /** How long it waited, in ms; 0 if it did not. */
  readonly waited: number
}

const NAMES = { timeout: true, signal: true, priority: true, key: true, cost: true } as const

/** The options of `acquire(cost?, options?)`, or of `acquire(weight?, options?)`. */
export function optionsOf<O extends object>(
  first: number | O | undefined,
  second: O | undefined,
): O | undefined {
  return typeof first === 'object' ? first : second
}

/** The cost of `acquire(cost?, options?)`, whose options are known already and say none beside a first argument. */
export function costOf(
  first: number | AcquireOptions | undefined,
  options: AcquireOptions | undefined,
): number {
  const cost = typeof first === 'object' || first === undefined ? options?.cost : first
  return cost === undefined ? 1 : cost
}

/** What is wrong with `acquire(cost, options)` if the options say a cost, too, of which one would be ignored. */
export function costTwice(
  first: number | AcquireOptions | undefined,
  options: AcquireOptions | undefined,
): InvalidOptionError | undefined {
  if (typeof first === 'object' || first === undefined || options?.cost === undefined) return
  return new InvalidOptionError('cost', 'absent beside the first argument', options.cost)
}

/**
 * Checks all but the priority and the key, which are for the order to judge.
 *
 * @throws {InvalidOptionError} for an unknown option, a timeout that is none, or a signal that cannot be listened to
 */
export function checkAcquireOptions(options: AcquireOptions): void {
  checkOptions('', options, NAMES)
  const { timeout, signal } = options
  if (timeout !== undefined) checkNonNegativeOrInfinity('timeout', timeout)
  if (signal !== undefined) checkSignal('signal', signal)
}
