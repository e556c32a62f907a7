import { checkOptions, checkSignal, type OptionNames } from '@millrace/kit'

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
  return signal && checkSignal('signal', signal)
}
