import type { Clock, Timer } from '../../clock.ts'
import { AlarmClock } from '../../wait/alarm-clock.ts'

/** Callers that hold a reservation and wait for its time, all on one timer. */
export class Sleepers {
  readonly #alarms: AlarmClock
  readonly #wake = new Set<(error: unknown) => void>()

  constructor(clock: Clock) {
    this.#alarms = new AlarmClock(clock)
  }

  get size(): number {
    return this.#wake.size
  }

  /** Resolves after `ms`; rejects with `signal.reason` on abort, and with the error of {@link rejectAll}. */
  sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      let timer: Timer | undefined
      const end = () => {
        timer?.cancel()
        signal?.removeEventListener('abort', onAbort)
        this.#wake.delete(fail)
      }
      const fail = (error: unknown) => {
        end()
        reject(error)
      }
      const onAbort = () => fail(signal?.reason)
      timer = this.#alarms.setTimer(() => {
        end()
        resolve()
      }, ms)
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#wake.add(fail)
    })
  }

  rejectAll(error: () => unknown): void {
    for (const fail of [...this.#wake]) fail(error())
  }
}
