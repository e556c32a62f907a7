/** Own properties of a function that belong to the wrapper itself; called by those that call the function, it would be gone past. */
const OF_THE_FUNCTION = /^(prototype|arguments|caller|apply|call|bind)$/

/**
 * Gives a wrapper the identity of what it wraps: name, length and the properties of its own that others read, such as the `cache` of a
 * memoized function.
 *
 * @returns the wrapper, typed as what it wraps
 */
export function imitate<F extends (...args: never[]) => unknown>(
  wrapper: (...args: never[]) => unknown,
  wrapped: F,
): F {
  // Which the function may have lost.
  delete (wrapper as { name?: unknown }).name
  delete (wrapper as { length?: unknown }).length
  for (const key of Reflect.ownKeys(wrapped)) {
    if (OF_THE_FUNCTION.test(String(key))) continue
    const descriptor = Object.getOwnPropertyDescriptor(wrapped, key)!
    Object.defineProperty(wrapper, key, { ...descriptor, configurable: true })
  }
  return wrapper as F
}
