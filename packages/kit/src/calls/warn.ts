import { isError } from './is-error.ts'
import { textOf } from './text-of.ts'

/** Makes what was thrown, be it what it may, a warning of the process: an error as it is, anything else as a text. */
export function warn(thrown: unknown): void {
  // `process.emitWarning` refuses errors of another realm, as all are that are made in a test of Jest.
  if (isError(thrown)) process.nextTick(() => process.emit('warning', thrown))
  else process.emitWarning(textOf(thrown))
}
