import { type Clock, setAwaitedTimer, type Timer } from '@millrace/kit'
import type { LoadPlan } from '../../load/load-options.ts'

/**
 * The answer of a load, or what stands in for it once `softTimeout` ms have passed, whichever is there first. A caller who
 * got a stand-in wants the load to go on: its signal ends nothing any more.
 *
 * @param begin starts the wait for the load, which the signal given to it ends
 * @param standIn resolves with `undefined` if there is nothing; never rejects
 */
export function withSoftTimeout<T>(
  { signal, softTimeout }: LoadPlan,
  clock: Clock,
  begin: (signal: AbortSignal | undefined) => Promise<T>,
  standIn: () => Promise<T | undefined>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const controller = new AbortController()
    const giveUp = (): void => controller.abort(signal!.reason)
    if (signal?.aborted) giveUp()
    signal?.addEventListener('abort', giveUp)
    let timer: Timer | undefined
    const leave = (): void => {
      timer?.cancel()
      signal?.removeEventListener('abort', giveUp)
    }
    begin(signal && controller.signal)
      .finally(leave)
      .then(resolve, reject)
    const giveStandIn = async (): Promise<void> => {
      const found = await standIn()
      if (found === undefined) return
      leave()
      resolve(found)
    }
    timer = setAwaitedTimer(clock, () => void giveStandIn(), softTimeout)
  })
}
