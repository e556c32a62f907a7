/** Own properties of a function that belong to the wrapper itself; by those that call the function its callers would go past the wrapper. */
const OF_THE_FUNCTION: ReadonlySet<PropertyKey> = new Set([
  'prototype',
  'arguments',
  'caller',
  'apply',
  'call',
  'bind',
])

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
  // A function may have lost them.
  for (const key of ['name', 'length']) Reflect.deleteProperty(wrapper, key)
  for (const key of Reflect.ownKeys(wrapped)) {
    if (OF_THE_FUNCTION.has(key)) continue
    const descriptor = Object.getOwnPropertyDescriptor(wrapped, key)!
    Object.defineProperty(wrapper, key, { ...descriptor, configurable: true })
  }
  return wrapper as F
}
