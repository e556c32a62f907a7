/** Whether `await` would wait for `value`: an object or function with a `then` method. A `then` that throws counts as none. */
export function isThenable<T = unknown>(value: unknown): value is PromiseLike<T> {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return false
  try {
    return typeof (value as { then?: unknown }).then === 'function'
  } catch {
    // The getter belongs to the caller's value, which is passed on untouched: who awaits it will see the error.
    return false
  }
}
