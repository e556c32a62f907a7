import { checkWrapped } from '@millrace/kit'
import { type AnyFunction, type Memoized, type MemoizeOptions, memoize } from './memoize.ts'

/** Memoizes a function, or as a TC39 decorator a method: made by {@link cached}. */
export type CachedWrapper = <F extends AnyFunction>(
  fn: F,
  context?: ClassMethodDecoratorContext<ThisParameterType<F>, F>,
) => Memoized<F>

/**
 * `cached({ ttl: 60_000 })(fn)` is {@link memoize} with its options first, so that one configuration serves many functions, each with
 * a cache of its own. It is also the TC39 decorator `@cached({ ttl: 60_000 })` of a method, static or not: one cache, with one
 * `maxEntries`, serves all objects of the class; their results are kept apart. A `key` function that does not mention `this` makes
 * them share.
 *
 * @throws {InvalidOptionError} for an option that is outside its bounds or unknown; when it wraps, where that is no function, or no method
 * that it decorates.
 */
export function cached(options: MemoizeOptions<AnyFunction> = {}): CachedWrapper {
  // What is wrong with them is said here, not where a function is wrapped.
  memoize(String, options).cache.close()
  return <F extends AnyFunction>(fn: F, context?: unknown) =>
    memoize(checkWrapped('@cached', fn, context), options as MemoizeOptions<F>)
}
