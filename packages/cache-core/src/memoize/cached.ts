import { InvalidOptionError } from '../errors.ts'
import { type AnyFunction, type MemoizeOptions, memoize } from './memoize.ts'

/** A TC39 decorator for methods. */
export type MethodDecorator = <F extends AnyFunction>(
  method: F,
  context: ClassMethodDecoratorContext<ThisParameterType<F>, F>,
) => F

/**
 * `@cached({ ttl: 60_000 })` memoizes a method, static or not, as {@link memoize} does a function. One
 * cache, with one `maxEntries`, serves all objects of the class; their results are kept apart. A `key`
 * function that does not mention `this` makes them share.
 *
 * @throws {@link InvalidOptionError} where it decorates something else than a method, or for an option.
 */
export function cached(options: MemoizeOptions<AnyFunction> = {}): MethodDecorator {
  return (method, context) => {
    if (context?.kind !== 'method') {
      throw new InvalidOptionError('@cached', 'on a method', context?.kind)
    }
    return memoize(method, options as MemoizeOptions<typeof method>)
  }
}
