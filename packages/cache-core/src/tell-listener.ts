import { isThenable, warn } from '@millrace/kit'
import { ListenerError } from './errors.ts'

/**
 * Tells a listener, whose failure concerns no other: what it throws, or rejects with, is the `cause` of a warning of the process.
 *
 * @returns the warning, if it threw at once
 */
export function tellListener(name: string, tell: () => unknown): ListenerError | undefined {
  const failed = (cause: unknown): ListenerError => {
    const error = new ListenerError(name, cause)
    warn(error)
    return error
  }
  try {
    const answer = tell()
    if (isThenable(answer)) answer.then(undefined, failed)
  } catch (cause) {
    return failed(cause)
  }
  return undefined
}
