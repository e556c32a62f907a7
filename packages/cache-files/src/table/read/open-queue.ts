import type { Clock } from '@millrace/cache-core'
import { monotonicClock, setAwaitedTimer } from '@millrace/kit'
import { isStarved } from '../../errors.ts'

/** Files open at once for reads in other threads, of which there are four unless Node is told otherwise. */
const AT_ONCE = 32
/** ms before the first repetition; each further one waits twice as long. */
const FIRST_DELAY = 1
/** ms between repetitions at most. */
const LONGEST_DELAY = 100

/** How long work in an {@link OpenQueue} may wait. */
export interface OpenQueueWait {
  /** ms for which work that finds no descriptor is repeated, >= 0. */
  readonly timeout: number
  /** Ends the wait with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Bounds the descriptors that reads hold, far below what a process may have: a few run at once, the others wait in order. Where the process
 * or the system has none left, as other code holds them, work is repeated for a while.
 */
export class OpenQueue {
  readonly #clock: Clock
  readonly #waiting = new Set<() => void>()
  #open = 0

  constructor(clock: Clock = monotonicClock) {
    this.#clock = clock
  }

  /** Runs work that opens a file and closes it again. */
  async run<T>(work: () => Promise<T>, wait: OpenQueueWait): Promise<T> {
    if (this.#open === AT_ONCE) await this.#turn(wait.signal)
    else this.#open++
    try {
      return await this.#repeated(work, wait)
    } finally {
      const [next] = this.#waiting
      if (next === undefined) this.#open--
      else next()
    }
  }

  async #repeated<T>(work: () => Promise<T>, { timeout, signal }: OpenQueueWait): Promise<T> {
    let since: number | undefined
    for (let delay = FIRST_DELAY; ; delay = Math.min(2 * delay, LONGEST_DELAY)) {
      try {
        return await work()
      } catch (error) {
        if (!isStarved(error)) throw error
        const now = this.#clock.now()
        since ??= now
        const left = since + timeout - now
        if (left <= 0) throw error
        await this.#pause(Math.min(delay, left), signal)
      }
    }
  }

  /** Resolves when one that runs gives its place away. */
  #turn(signal: AbortSignal | undefined): Promise<void> {
    return abortable(signal, resolve => {
      const take = (): void => {
        this.#waiting.delete(take)
        resolve()
      }
      this.#waiting.add(take)
      return () => void this.#waiting.delete(take)
    })
  }

  #pause(delay: number, signal: AbortSignal | undefined): Promise<void> {
    return abortable(signal, resolve => {
      const timer = setAwaitedTimer(this.#clock, resolve, delay)
      return () => timer.cancel()
    })
  }
}

/** A wait that a signal ends with its reason. `begin` returns what ends it otherwise. */
async function abortable(
  signal: AbortSignal | undefined,
  begin: (resolve: () => void) => () => void,
): Promise<void> {
  signal?.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const end = begin(resolve)
  const abort = (): void => {
    end()
    reject(signal!.reason)
  }
  signal?.addEventListener('abort', abort, { once: true })
  try {
    await promise
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

/** The one for all tables, as descriptors are the process's. */
export const openQueue: OpenQueue = new OpenQueue()
