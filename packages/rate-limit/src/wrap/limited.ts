import {
  checkBoolean,
  checkFunction,
  checkMethods,
  checkNonNegative,
  checkOptions,
  checkWrapped,
  InvalidOptionError,
  imitate,
  isThenable,
  type OptionNames,
} from '@millrace/kit'
import { RateLimitedError } from '../errors.ts'
import type { Decision } from '../limiter/rate-limiter.ts'
import type { AcquireOptions, Admission } from '../wait/acquire-options.ts'
import { CALL_OPTIONS, type ConcurrentOptions, checkCallOptions } from './concurrent.ts'
import {
  type AnyFunction,
  type DeferringWrapper,
  isAsync,
  type Keyed,
  type TransparentWrapper,
} from './wrapper.ts'

/** What {@link limited} needs of a limiter: those on Redis have it too. */
export interface WaitingLimiter {
  /** A semaphore has it, whose permits have to come back: that is for `concurrent`. */
  readonly run?: never
  acquire(options?: AcquireOptions): Promise<Admission>
}

/** What {@link limited} needs of a limiter that is to refuse at once. */
export interface DecidingLimiter {
  readonly name: string
  decide(cost?: number): Decision
}

/** The same of a limiter that has to ask elsewhere, as those on Redis. */
export interface AskingLimiter {
  readonly name: string
  decide(cost?: number): Promise<Decision>
}

/** The same of a limiter by key. */
export interface KeyedWaitingLimiter {
  readonly keyed: true
  readonly run?: never
  acquire(key: string, options?: AcquireOptions): Promise<Admission>
}

/** The same of a limiter by key that is to refuse at once. */
export interface KeyedDecidingLimiter {
  readonly keyed: true
  readonly name: string
  decide(key: string, cost?: number): Decision
}

/** The same of a limiter by key that has to ask elsewhere, as those on Redis. */
export interface KeyedAskingLimiter {
  readonly keyed: true
  readonly name: string
  decide(key: string, cost?: number): Promise<Decision>
}

export interface LimitedOptions<Args extends unknown[]> extends ConcurrentOptions<Args> {
  /** Permits per call: a number, or computed from the arguments. Default: 1 */
  readonly cost?: number | ((...args: Args) => number) | undefined
  /** Whether calls wait for their turn. Default: true */
  readonly wait?: true | undefined
}

/** Options of a wrapper that refuses instead of waiting. */
export interface RefusingOptions<Args extends unknown[]>
  extends Pick<LimitedOptions<Args>, 'cost' | 'key'> {
  readonly wait: false
}

/**
 * Has every call of a function take a permit first: `limited(bucket)(fetchUser)`, or `@limited(bucket)` on a method.
 * `this`, name, length and types are kept. A call that gets no permit never reaches the function.
 *
 * The wrapper waits and so returns a promise; with `wait: false` it refuses at once with {@link RateLimitedError}, and a
 * synchronous function stays synchronous unless the limiter has to ask elsewhere, as those on Redis.
 *
 * @throws what the limiter's `acquire` rejects with
 */
export function limited<Args extends unknown[] = never[]>(
  limiter: KeyedDecidingLimiter,
  options: Keyed<RefusingOptions<Args>>,
): TransparentWrapper
export function limited<Args extends unknown[] = never[]>(
  limiter: KeyedAskingLimiter,
  options: Keyed<RefusingOptions<Args>>,
): DeferringWrapper<Args>
export function limited<Args extends unknown[] = never[]>(
  limiter: KeyedWaitingLimiter,
  options: Keyed<LimitedOptions<Args>>,
): DeferringWrapper<Args>
export function limited<Args extends unknown[] = never[]>(
  limiter: DecidingLimiter,
  options: RefusingOptions<Args>,
): TransparentWrapper
export function limited<Args extends unknown[] = never[]>(
  limiter: AskingLimiter,
  options: RefusingOptions<Args>,
): DeferringWrapper<Args>
export function limited<Args extends unknown[] = never[]>(
  limiter: WaitingLimiter,
  options?: LimitedOptions<Args>,
): DeferringWrapper<Args>
export function limited<Args extends unknown[]>(
  limiter:
    | WaitingLimiter
    | DecidingLimiter
    | AskingLimiter
    | KeyedWaitingLimiter
    | KeyedDecidingLimiter
    | KeyedAskingLimiter,
  options: LimitedOptions<Args> | RefusingOptions<Args> = {},
): DeferringWrapper<Args> | TransparentWrapper {
  const { cost, wait = true } = checkOptions('', options as LimitedOptions<Args>, NAMES)
  checkCallOptions(options as LimitedOptions<Args>)
  checkBoolean('wait', wait)
  if (cost !== undefined && typeof cost !== 'function') checkNonNegative('cost', cost)
  const method = options.wait === false ? 'decide' : 'acquire'
  checkMethods('limiter', limiter, 'a limiter', [method])
  // It would never get its permits back.
  if ('run' in limiter) {
    const expected = 'a limiter of rates; a semaphore, whose permits come back, is for `concurrent`'
    throw new InvalidOptionError('limiter', expected, limiter)
  }
  const keyed = 'keyed' in limiter && limiter.keyed
  if (keyed || options.key !== undefined) checkFunction('key', options.key)
  const wrap =
    options.wait === false
      ? (fn: AnyFunction) =>
          refusing(fn, limiter as DecidingLimiter | AskingLimiter, options as RefusingOptions<Args>)
      : (fn: AnyFunction) => waiting(fn, limiter as WaitingLimiter, options as LimitedOptions<Args>)
  return ((fn: AnyFunction, context?: unknown) =>
    imitate(wrap(checkWrapped('@limited', fn, context)), fn)) as DeferringWrapper<Args>
}

const NAMES: OptionNames<LimitedOptions<never>> = { ...CALL_OPTIONS, cost: true, wait: true }

function waiting<Args extends unknown[]>(
  fn: AnyFunction,
  limiter: WaitingLimiter,
  { cost, timeout, priority, key, signal }: LimitedOptions<Args>,
): AnyFunction {
  return async function (...args) {
    const by = key?.(...(args as Args))
    const options = {
      cost: typeof cost === 'function' ? cost(...(args as Args)) : cost,
      timeout,
      priority,
      signal: signal?.(...(args as Args)),
    }
    if ('keyed' in limiter) {
      await (limiter as unknown as KeyedWaitingLimiter).acquire(by!, options)
    } else await limiter.acquire({ ...options, key: by })
    return Reflect.apply(fn, this, args)
  }
}

function refusing<Args extends unknown[]>(
  fn: AnyFunction,
  limiter: DecidingLimiter | AskingLimiter,
  { cost, key }: RefusingOptions<Args>,
): AnyFunction {
  const decide = (args: unknown[]): Decision | Promise<Decision> => {
    const price = typeof cost === 'function' ? cost(...(args as Args)) : cost
    return 'keyed' in limiter
      ? (limiter as unknown as KeyedDecidingLimiter).decide(key!(...(args as Args)), price)
      : limiter.decide(price)
  }
  const check = ({ allowed, retryAfter }: Decision) => {
    if (!allowed) throw new RateLimitedError(limiter.name, retryAfter)
  }
  if (isAsync(fn)) {
    return async function (...args) {
      const decision = decide(args)
      check(isThenable(decision) ? await decision : decision)
      return Reflect.apply(fn, this, args)
    }
  }
  return function (...args) {
    const decision = decide(args)
    const pass = (decided: Decision) => {
      check(decided)
      return Reflect.apply(fn, this, args)
    }
    return isThenable(decision) ? decision.then(pass) : pass(decision)
  }
}
