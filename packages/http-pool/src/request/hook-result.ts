import { InvalidOptionError, isThenable } from '@millrace/kit'

/** Refuses what a function of the user's returns that must not wait: it would be taken for an answer, or would fail unheard. */
export function refusePromise(option: string, returned: unknown): void {
  if (!isThenable(returned)) return
  // What it is rejected with comes too late to be told: the request has failed by then.
  returned.then(undefined, () => {})
  throw new InvalidOptionError(option, 'a function that does not wait', returned)
}
