import type { Timing } from './timing.ts'

type AnyFunction = (this: never, ...args: never[]) => unknown

/**
 * A wrapper that measures every call of a function, and a decorator for methods: `timed(load)(fn)`, or `@timed(load)`.
 * Keeps `this`, the name, the length and the types. A throw or a rejection counts as a failure.
 */
export function timed(
  timing: Timing,
): <F extends AnyFunction>(fn: F, context?: ClassMethodDecoratorContext) => F {
  return fn => {
    function measured(this: unknown, ...args: unknown[]): unknown {
      return timing.time(() => Reflect.apply(fn, this, args))
    }
    Object.defineProperty(measured, 'name', { value: fn.name, configurable: true })
    Object.defineProperty(measured, 'length', { value: fn.length, configurable: true })
    return measured as unknown as typeof fn
  }
}
