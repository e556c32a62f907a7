import { imitate } from '@millrace/kit'
import type { SemaphoreAcquireOptions } from '../semaphore/semaphore-acquire.ts'
import type { AnyFunction, DeferringWrapper } from './wrapper.ts'

/** What {@link concurrent} needs: a {@link Semaphore}, or one that adapts or is distributed. */
export interface Runner {
  run<R>(fn: () => R | PromiseLike<R>, options?: SemaphoreAcquireOptions): Promise<R>
}

export interface ConcurrentOptions<Args extends unknown[]> {
  /** See {@link AcquireOptions.timeout}; it bounds the wait, not the call. */
  readonly timeout?: number | undefined
  /** See {@link AcquireOptions.priority}. */
  readonly priority?: number | undefined
  /** See {@link AcquireOptions.key}; computed from the arguments. */
  readonly key?: ((...args: Args) => string) | undefined
  /** Finds the caller's signal among the arguments. */
  readonly signal?: ((...args: Args) => AbortSignal | undefined) | undefined
}

/**
 * Lets no more calls of a function run at once than a semaphore has permits: `concurrent(slots)(fetchUser)`, or
 * `@concurrent(slots)` on a method. `this`, name, length and types are kept.
 *
 * @throws (by rejection) what the semaphore's `run` does
 */
export function concurrent<Args extends unknown[] = never[]>(
  semaphore: Runner,
  { timeout, priority, key, signal }: ConcurrentOptions<Args> = {},
): DeferringWrapper<Args> {
  const wrap = (fn: AnyFunction) =>
    imitate(function (this: unknown, ...args: unknown[]) {
      return semaphore.run(() => fn.apply(this, args), {
        timeout,
        priority,
        key: key?.(...(args as Args)),
        signal: signal?.(...(args as Args)),
      })
    }, fn)
  return wrap as unknown as DeferringWrapper<Args>
}
