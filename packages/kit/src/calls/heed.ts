import { isThenable } from './thenable.ts'

/**
 * Looks at what a callback of the program returned whose answer is needed at once. Where it is asynchronous instead, its rejection, for
 * which no call waits, ends no process.
 *
 * @param failed learns of the rejection. Default: ignored, as the callback counts as one that said nothing
 * @returns whether it is something to wait for
 */
export function heed(returned: unknown, failed: (error: unknown) => void = () => {}): boolean {
  if (!isThenable(returned)) return false
  Promise.resolve(returned).catch(failed)
  return true
}
