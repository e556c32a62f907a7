import type { Clock } from '@millrace/cache-core'

/** Those who wait, by what they wait for. */
export type Waiters = Map<string, Set<LeaseWait>>

/** One who waits to be told that a lease is free. */
export class LeaseWait {
  readonly #waiters: Waiters
  readonly #name: string
  #woken = false
  /** Ends the present pause. */
  #leave: (() => void) | undefined

  /** Hears of what is told from now on. */
  constructor(waiters: Waiters, name: string) {
    this.#waiters = waiters
    this.#name = name
    const others = waiters.get(name)
    if (others === undefined) waiters.set(name, new Set([this]))
    else others.add(this)
  }

  /** It is free. */
  wake(): void {
    this.#woken = true
    this.#leave?.()
  }

  /** It may be free. */
  look(): void {
    this.#leave?.()
  }

  end(): void {
    const others = this.#waiters.get(this.#name)!
    others.delete(this)
    if (others.size === 0) this.#waiters.delete(this.#name)
  }

  /** Whether it was woken; ends after `delay` ms at the latest, or rejects with the signal's reason. */
  pause(delay: number, clock: Clock, signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#woken) return Promise.resolve(true)
    return new Promise((resolve, reject) => {
      const leave = (settle: () => void): void => {
        this.#leave = undefined
        timer.cancel()
        signal?.removeEventListener('abort', abort)
        settle()
      }
      const end = (): void => leave(() => resolve(this.#woken))
      const abort = (): void => leave(() => reject(signal!.reason))
      const timer = clock.setTimer(end, delay)
      this.#leave = end
      signal?.addEventListener('abort', abort)
    })
  }
}
