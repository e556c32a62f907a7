import { checkFunction } from '../options/checks.ts'
import { InvalidOptionError } from '../options/invalid-option-error.ts'

/**
 * What a wrapper is called with: a function, alone or as the TC39 decorator of a method. Compilers call other decorators as well, of
 * classes, getters and fields and the older kind, which is given a prototype, a name and a descriptor; what a wrapper returns there has
 * no effect, or a wrong one.
 *
 * @param name of the wrapper as a decorator, such as `@timed`
 * @param context second argument, whatever it is: an index where functions are wrapped by `map`
 */
export function checkWrapped<F>(name: string, fn: F, context: unknown): F {
  const isDecorator = typeof context !== 'number' && context !== undefined
  if (isDecorator && (context as { kind?: unknown } | null)?.kind !== 'method') {
    throw new InvalidOptionError(name, 'a TC39 decorator of a method', context)
  }
  return checkFunction('fn', fn)
}
