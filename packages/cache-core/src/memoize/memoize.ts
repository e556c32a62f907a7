import { checkFunction, checkRecord, InvalidOptionError, imitate, isThenable } from '@millrace/kit'
import { Cache } from '../cache/cache.ts'
import type { CacheOptions } from '../cache/cache-options.ts'
import { encodeArguments } from '../key/encode-arguments.ts'
import { Loaded, loaded } from '../load/loaded.ts'
import { ReceiverKeys } from './receiver-keys.ts'

// biome-ignore lint/suspicious/noExplicitAny: only `any` lets every function's type through
export type AnyFunction = (this: any, ...args: any[]) => any

/** Options of {@link memoize}: those of its cache, and how its keys are made. */
export interface MemoizeOptions<F extends AnyFunction>
  extends CacheOptions<unknown, Awaited<ReturnType<F>>> {
  /**
   * Makes the key from the arguments; called with the `this` of the call. Give one where arguments
   * cannot be encoded, or where not all of them matter. Two calls share a result exactly if `Map` takes
   * their keys for equal. Default: {@link encodeArguments}, separately for each object the function is
   * called on.
   */
  readonly key?: ((this: ThisParameterType<F>, ...args: Parameters<F>) => unknown) | undefined
  /** Tags of each result, for `cache.deleteTag` and `cache.expireTag`. Default: none. */
  readonly tags?: ((...args: Parameters<F>) => readonly string[]) | undefined
}

/** A function with its results in a cache. */
export type Memoized<F extends AnyFunction> = F & {
  /** Where the results are, or what their promises resolve to: for `stats`, `clear`, `deleteTag`. */
  readonly cache: Cache<unknown, Awaited<ReturnType<F>>>
  /**
   * Forgets the result for these arguments, and does not keep one that is being computed. True if there
   * was one.
   *
   * @param receiver the object the function is called on, if it is a method
   */
  forget(args: Parameters<F>, receiver?: ThisParameterType<F>): boolean
}

/**
 * `fn` with its results in a bounded cache: 256 of them unless `maxEntries` or `maxBytes` says otherwise.
 *
 * Name, length and `this` stay, and so does the kind: a synchronous function stays synchronous, one that
 * returns promises returns promises (it counts as such from the first promise it returns). Concurrent
 * calls share one computation. Failures are not kept, nor is `undefined`.
 *
 * The memoized function throws `UnencodableArgumentError`, or rejects with it if asynchronous, for an
 * argument that cannot be part of a key, unless `key` is given.
 *
 * @throws {InvalidOptionError} if `fn`, `key` or `tags` is not a function, if `fn` is a generator function, or for an option of the cache.
 */
export function memoize<F extends AnyFunction>(
  fn: F,
  options: MemoizeOptions<F> = {},
): Memoized<F> {
  checkFunction('fn', fn)
  const kind = String((fn as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag])
  // Callers would share one generator, which yields what it has once.
  if (kind.includes('Generator')) throw new InvalidOptionError('fn', 'no generator function', fn)
  // Another object would be taken for one without options.
  checkRecord('options', options)
  const { key: keyOf, tags: tagsOf, ...cacheOptions } = options
  if (keyOf !== undefined) checkFunction('key', keyOf)
  if (tagsOf !== undefined) checkFunction('tags', tagsOf)
  const cache = new Cache<unknown, unknown>(cacheOptions as CacheOptions<unknown, unknown>)
  const receivers = new ReceiverKeys()
  let asynchronous = kind === 'AsyncFunction'

  const keyFor = (receiver: unknown, args: Parameters<F>): unknown => {
    if (keyOf !== undefined) return Reflect.apply(keyOf, receiver, args)
    const key = encodeArguments(args)
    return receivers.qualify(receiver, key)
  }
  const keep = (value: unknown, args: Parameters<F>): unknown => {
    if (value === undefined) return NOT_KEPT
    return tagsOf === undefined ? value : loaded(value, { tags: tagsOf(...args) })
  }
  const compute = (receiver: unknown, args: Parameters<F>): unknown => {
    const result: unknown = Reflect.apply(fn, receiver, args)
    if (!isThenable(result)) return keep(result, args)
    asynchronous = true
    return result.then(value => keep(value, args))
  }

  function memoized(this: unknown, ...args: Parameters<F>): unknown {
    let key: unknown
    try {
      key = keyFor(this, args)
    } catch (error) {
      if (asynchronous) return Promise.reject(error)
      throw error
    }
    const result = cache.getOrLoadSync(key, () => compute(this, args))
    if (!asynchronous) return result === UNDEFINED ? undefined : result
    if (!isThenable(result)) return Promise.resolve(result === UNDEFINED ? undefined : result)
    return result.then(value => (value === UNDEFINED ? undefined : value))
  }

  imitate(memoized, fn)
  return Object.defineProperties(memoized, {
    cache: { value: cache, configurable: true },
    forget: {
      value: (args: Parameters<F>, receiver?: unknown) => cache.delete(keyFor(receiver, args)),
      configurable: true,
    },
  }) as unknown as Memoized<F>
}

/** Stands for `undefined` on its way through the cache, which would take it for a forgotten `return`. */
const UNDEFINED = Symbol('undefined')
const NOT_KEPT = /* @__PURE__ */ new Loaded<unknown>(UNDEFINED, { store: false })
