import { checkMethods, checkWrapped, imitate } from '@millrace/kit'
import type { Timing } from './timing.ts'

// biome-ignore lint/suspicious/noExplicitAny: only `any` lets a method say what its `this` is
export type AnyFunction = (this: any, ...args: any[]) => any

/**
 * A wrapper that measures every call of a function, and a decorator for methods: `timed(load)(fn)`, or `@timed(load)`.
 * Keeps `this`, the name, the length, the types and the function's own properties. A throw or a rejection counts as a failure.
 */
export function timed(
  timing: Timing,
): <F extends AnyFunction>(
  fn: F,
  context?: ClassMethodDecoratorContext<ThisParameterType<F>, F>,
) => F {
  checkMethods('timing', timing, 'a Timing, whose labels are bound if it has any', [
    'start',
    'time',
  ])
  return (fn, context) => {
    checkWrapped('@timed', fn, context)
    function measured(this: unknown, ...args: unknown[]): unknown {
      return timing.time(() => Reflect.apply(fn, this, args))
    }
    return imitate(measured, fn)
  }
}
