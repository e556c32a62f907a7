import {
  checkFunction,
  checkMethods,
  checkNonNegativeOrInfinity,
  checkOptions,
  checkWrapped,
  InvalidOptionError,
  imitate,
  isGeneratorFunction,
  type OptionNames,
} from '@millrace/kit'
import type { SemaphoreAcquireOptions } from '../semaphore/semaphore-acquire.ts'
import { checkPriority } from '../wait/order/priority-order.ts'
import type { AnyFunction, DeferringWrapper, Keyed } from './wrapper.ts'

/** What {@link concurrent} needs: a {@link Semaphore}, or one that adapts or is distributed. */
export interface Runner {
  run<R>(fn: () => R | PromiseLike<R>, options?: SemaphoreAcquireOptions): Promise<R>
}

/** The same of a semaphore by key. */
export interface KeyedRunner {
  readonly keyed: true
  run<R>(key: string, fn: () => R | PromiseLike<R>, options?: SemaphoreAcquireOptions): Promise<R>
}

export interface ConcurrentOptions<Args extends unknown[]> {
  /** See {@link AcquireOptions.timeout}; it bounds the wait, not the call. */
  readonly timeout?: number | undefined
  /** See {@link AcquireOptions.priority}. */
  readonly priority?: number | undefined
  /** See {@link AcquireOptions.key}, or the key of a semaphore or limiter by key; computed from the arguments. */
  readonly key?: ((...args: Args) => string) | undefined
  /** Finds the caller's signal among the arguments. */
  readonly signal?: ((...args: Args) => AbortSignal | undefined) | undefined
}

/**
 * Lets no more calls of a function run at once than a semaphore has permits: `concurrent(slots)(fetchUser)`, or
 * `@concurrent(slots)` on a method. `this`, name, length and types are kept.
 *
 * @throws InvalidOptionError by the wrapper, for a generator function: `semaphore.run` its whole consumption instead
 * @throws (by rejection) what the semaphore's `run` does
 */
export function concurrent<Args extends unknown[] = never[]>(
  semaphore: KeyedRunner,
  options: Keyed<ConcurrentOptions<Args>>,
): DeferringWrapper<Args>
export function concurrent<Args extends unknown[] = never[]>(
  semaphore: Runner,
  options?: ConcurrentOptions<Args>,
): DeferringWrapper<Args>
export function concurrent<Args extends unknown[]>(
  semaphore: Runner | KeyedRunner,
  options: ConcurrentOptions<Args> = {},
): DeferringWrapper<Args> {
  checkMethods('semaphore', semaphore, 'a semaphore', ['run'])
  checkOptions('', options, CALL_OPTIONS)
  checkCallOptions(options)
  const { timeout, priority, key, signal } = options
  const keyed = 'keyed' in semaphore && semaphore.keyed
  if (keyed || key !== undefined) checkFunction('key', key)
  const wrap = (fn: AnyFunction, context?: unknown) => {
    checkWrapped('@concurrent', fn, context)
    // Its call only makes the generator: the permit would be back before any of the work.
    if (isGeneratorFunction(fn)) {
      throw new InvalidOptionError('fn', 'a function whose call does the work, no generator', fn)
    }
    return imitate(function (this: unknown, ...args: unknown[]) {
      const call = () => Reflect.apply(fn, this, args)
      const by = key?.(...(args as Args))
      const bounds = { timeout, priority, signal: signal?.(...(args as Args)) }
      return keyed
        ? (semaphore as KeyedRunner).run(by!, call, bounds)
        : (semaphore as Runner).run(call, { ...bounds, key: by })
    }, fn)
  }
  return wrap as unknown as DeferringWrapper<Args>
}

/** @throws {InvalidOptionError} for what no call could be made with; the key is checked with what it is for */
export function checkCallOptions<Args extends unknown[]>(options: ConcurrentOptions<Args>): void {
  const { timeout, priority, signal } = options
  if (timeout !== undefined) checkNonNegativeOrInfinity('timeout', timeout)
  if (priority !== undefined) checkPriority(priority)
  if (signal !== undefined) checkFunction('signal', signal)
}

/** The names of {@link ConcurrentOptions}. */
export const CALL_OPTIONS: OptionNames<ConcurrentOptions<never>> = {
  timeout: true,
  priority: true,
  key: true,
  signal: true,
}
