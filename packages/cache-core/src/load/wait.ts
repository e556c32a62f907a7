import { type Clock, setAwaitedTimer, type Timer } from '@millrace/kit'
import type { Flight } from './flight.ts'

/** How one caller waits. */
export interface WaitOptions<V> {
  /** Ends the wait. */
  readonly signal: AbortSignal | undefined
  /** ms after which a stale value will do; Infinity = none will before the load fails. */
  readonly softTimeout: number
  /** The stale value, or `undefined` if there is none any more. */
  readonly fallback: (() => V | undefined) | undefined
  readonly clock: Clock
}

/**
 * The result of a flight for one caller, who may give up (`signal`), and who may accept a stale value
 * after `softTimeout` or when the load fails.
 */
export function wait<K, V>(
  flight: Flight<K, V>,
  { signal, softTimeout, fallback, clock }: WaitOptions<V>,
): Promise<V> {
  if (signal === undefined) flight.hold()
  else flight.join()
  return new Promise<V>((resolve, reject) => {
    let timer: Timer | undefined
    const leave = (): void => {
      timer?.cancel()
      signal?.removeEventListener('abort', giveUp)
    }
    const giveUp = (): void => {
      leave()
      flight.leave(signal!.reason)
      reject(signal!.reason)
    }
    if (signal?.aborted) {
      // By the loader itself, before it returned.
      giveUp()
      return
    }
    signal?.addEventListener('abort', giveUp)
    if (fallback !== undefined && softTimeout !== Infinity) {
      const giveStale = (): void => {
        const stale = fallback()
        if (stale === undefined) return
        leave()
        flight.hold()
        resolve(stale)
      }
      timer = setAwaitedTimer(clock, giveStale, softTimeout)
    }
    flight.promise.then(
      value => {
        leave()
        resolve(value)
      },
      error => {
        leave()
        const stale = fallback?.()
        if (stale === undefined) reject(error)
        else resolve(stale)
      },
    )
  })
}
