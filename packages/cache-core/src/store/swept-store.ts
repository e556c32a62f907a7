import { type Clock, checkPositiveOrInfinity, type Timer } from '@millrace/kit'
import { repeat } from '../size/repeat.ts'
import type { SweptBackend } from './backend.ts'
import { StoreUnavailableError } from './contract/errors.ts'
import { LocalStore, type LocalStoreOptions } from './local-store.ts'
import { SteadyClock } from './steady-clock.ts'
import type { StoreCounters } from './store-counters.ts'

/** Options of every {@link SweptStore}. */
export interface SweptStoreOptions<V> extends Omit<LocalStoreOptions<V>, 'clock'> {
  readonly sweepInterval: number
  readonly clock?: Clock | undefined
}

/** A {@link LocalStore} that is swept every `sweepInterval` ms, until it is closed or forgotten. */
export class SweptStore<V, B extends SweptBackend> extends LocalStore<V, B> {
  readonly #timer: Timer | undefined

  /** @throws {InvalidOptionError} */
  constructor(
    options: SweptStoreOptions<V>,
    open: (counters: StoreCounters, clock: SteadyClock) => B,
  ) {
    const { sweepInterval } = options
    checkPositiveOrInfinity('sweepInterval', sweepInterval)
    const clock = new SteadyClock(options.clock)
    super({ ...options, clock }, counters => open(counters, clock))
    if (sweepInterval === Infinity) return
    this.#timer = repeat(clock, sweepInterval, this.backend, backend => {
      try {
        backend.sweep(clock.now())
      } catch (error) {
        // The next one will do: what is gone is not returned meanwhile.
        if (!(error instanceof StoreUnavailableError)) throw error
      }
    })
  }

  /** Removes what is gone, and what is beyond the limit; runs by itself every `sweepInterval`. O(values). */
  sweep(): void {
    this.enter()
    this.backend.sweep(this.clock.now())
  }

  override close(): Promise<void> {
    this.#timer?.cancel()
    return super.close()
  }
}
