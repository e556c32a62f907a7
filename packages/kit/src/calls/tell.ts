import { isThenable } from './thenable.ts'

/**
 * Tells a listener of the program. What it throws, or rejects with where it is asynchronous, fails nothing but itself.
 *
 * @param failed learns of that. Default: ignored, as there is no further place to report to
 */
export function tell<T>(
  listener: (event: T) => unknown,
  event: T,
  failed: (error: unknown) => void = () => {},
): void {
  try {
    const told = listener(event)
    if (isThenable(told)) Promise.resolve(told).catch(failed)
  } catch (error) {
    failed(error)
  }
}
