import type { VirtualClock } from '@millrace/testkit'

/** Moves the clock by `step` ms per turn of the event loop until the call ends, so that deadlines pass meanwhile. */
export async function during<T>(clock: VirtualClock, step: number, call: Promise<T>): Promise<T> {
  let ended = false
  const end = () => {
    ended = true
  }
  call.then(end, end)
  while (!ended) await clock.advanceAsync(step)
  return call
}
