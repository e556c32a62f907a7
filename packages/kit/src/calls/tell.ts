import { isThenable } from './thenable.ts'
import { warn } from './warn.ts'

/**
 * Tells a listener of the program. What it throws, or rejects with where it is asynchronous, fails nothing but itself.
 *
 * @param failed learns of that. Default: a warning of the process
 */
export function tell<T>(
  listener: (event: T) => unknown,
  event: T,
  failed: (error: unknown) => void = warn,
): void {
  try {
    const told = listener(event)
    if (isThenable(told)) Promise.resolve(told).catch(failed)
  } catch (error) {
    failed(error)
  }
}
