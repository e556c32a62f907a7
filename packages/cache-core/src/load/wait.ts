import type { Clock, Timer } from '../time/turn-clock.ts'
import type { Flight } from './flight.ts'

/**
 * The result of a flight for one caller, who may give up (`signal`), and who may accept a stale value
 * after `softDeadline` or when the load fails.
 *
 * @param fallback the stale value, or `undefined` if there is none any more
 */
export function wait<K, V>(
  flight: Flight<K, V>,
  signal: AbortSignal | undefined,
  softDeadline: number,
  clock: Clock,
  fallback: (() => V | undefined) | undefined,
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
    if (fallback !== undefined && softDeadline !== Infinity) {
      timer = clock.setTimer(() => {
        const stale = fallback()
        if (stale === undefined) return
        leave()
        flight.hold()
        resolve(stale)
      }, softDeadline)
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
