import { TokenBucket } from '../bucket/token-bucket.ts'
import type { Clock } from '../clock.ts'
import { oneOf } from '../option-checks.ts'

/**
 * What a limiter does while its store is not available:
 * - `'closed'`: nobody passes; calls fail with {@link StoreUnavailableError}
 * - `'open'`: everybody passes
 * - `'local'`: each process keeps to its share, the rate divided by the processes known last
 * - `'lease'`: tokens held already are spent first, then as `'local'`
 */
export type OutageMode = 'closed' | 'open' | 'local' | 'lease'

const outageModes: readonly OutageMode[] = ['closed', 'open', 'local', 'lease']

/** The rules for the time without a store, and the account of what was spent meanwhile. */
export class Outage {
  readonly mode: OutageMode
  readonly #share: TokenBucket
  readonly #rate: number
  readonly #burst: number
  #clients = 1
  /** Tokens that passed without the store and that it does not know of yet. */
  spent = 0

  constructor(mode: OutageMode, rate: number, burst: number, clock: Clock, name: string) {
    this.mode = oneOf('whenDown', mode, outageModes)
    this.#rate = rate
    this.#burst = burst
    this.#share = new TokenBucket({ rate, burst, clock, name })
  }

  /** How many processes share the limit, as far as is known. */
  set clients(count: number) {
    if (count === this.#clients) return
    this.#clients = count
    // A share of the burst that no longer held one call would stop a process altogether.
    const burst = Math.max(Math.min(1, this.#burst), this.#burst / count)
    this.#share.setLimits({ rate: this.#rate / count, burst })
  }

  get clients(): number {
    return this.#clients
  }

  /** The local share; not to be asked in the modes `'open'` and `'closed'`. */
  get share(): TokenBucket {
    return this.#share
  }
}
