import { checkOptions, checkSignal, InvalidOptionError, type OptionNames } from '@millrace/kit'

/** Options of a call that may wait. */
export interface CallOptions {
  /** Ends the wait of this call with the signal's reason. What others wait for goes on. */
  readonly signal?: AbortSignal | undefined
}

const NAMES: OptionNames<CallOptions> = { signal: true }

/**
 * The signal of a call, if it has one.
 *
 * @throws {InvalidOptionError}
 */
export function callSignal(options: CallOptions | undefined): AbortSignal | undefined {
  if (options === undefined) return undefined
  const { signal } = checkOptions('', options, NAMES)
  return signal === undefined ? undefined : checkSignal('signal', signal)
}

/**
 * An iterable argument, be it one whose steps are awaited. A text is none: its letters are hardly what is meant.
 *
 * @throws {InvalidOptionError}
 */
export function checkIterable<I extends Iterable<unknown> | AsyncIterable<unknown>>(
  argument: string,
  value: I,
  expected = 'an iterable of strings',
): I {
  const held = Object(value) === value ? value : undefined
  if (held !== undefined && (Symbol.iterator in held || Symbol.asyncIterator in held)) return value
  throw new InvalidOptionError(argument, expected, value)
}
