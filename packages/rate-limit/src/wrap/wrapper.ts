/** Any function; what a wrapper takes and gives back. */
// biome-ignore lint/suspicious/noExplicitAny: only `any` keeps the parameter types of the function that is wrapped
export type AnyFunction = (this: any, ...args: any[]) => any

/** A function that returns the same, later; an asynchronous one is left as it is. */
export type Deferred<F extends AnyFunction> =
  ReturnType<F> extends Promise<unknown>
    ? F
    : (this: ThisParameterType<F>, ...args: Parameters<F>) => Promise<Awaited<ReturnType<F>>>

/**
 * A wrapper of functions that is a TC39 decorator of methods as well. What looks at the first arguments only, such as a key, leaves open
 * what follows them.
 */
export type DeferringWrapper<Args extends unknown[]> = <
  // biome-ignore lint/suspicious/noExplicitAny: as above
  F extends (...args: [...Args, ...any[]]) => unknown,
>(
  fn: F,
  context?: ClassMethodDecoratorContext<ThisParameterType<F>, F>,
) => Deferred<F>

/** The same for a wrapper that leaves synchronous functions synchronous. */
export type TransparentWrapper = <F extends AnyFunction>(
  fn: F,
  context?: ClassMethodDecoratorContext<ThisParameterType<F>, F>,
) => F

/** Options of a wrapper around what goes by key, which needs one. */
export type Keyed<O extends { readonly key?: unknown }> = O & {
  readonly key: NonNullable<O['key']>
}

const AsyncFunction = (async () => {}).constructor

/** Whether a function was declared `async`. */
export function isAsync(fn: AnyFunction): boolean {
  return fn instanceof AsyncFunction
}
