import type { Clock } from '@millrace/kit'
import type { Store, StoreEntry, StoreItem, StoreLookup } from '../store/contract/store.ts'
import type { RecoveryQueue } from './recovery-queue.ts'
import type { TierBreaker } from './tier-breaker.ts'
import { StoreSuspendedError, StoreTimeoutError } from './tier-errors.ts'

/** What a {@link SecondTier} is made of. */
export interface SecondTierOptions<V> {
  readonly store: Store<V>
  readonly clock: Clock
  /** ms for which an answer is waited for. */
  readonly timeout: number
  readonly breaker: TierBreaker
  /** Invalidations that the store may not know of yet. */
  readonly missed: RecoveryQueue
}

/**
 * A store that may be slow, absent or broken. Loads go on without it: what fails or is late counts as a miss on reads, and as not done on
 * writes. Each call ends by the time-out, and a store that fails again and again is left alone for a while.
 */
export class SecondTier<V> {
  readonly store: Store<V>
  readonly #clock: Clock
  readonly #timeout: number
  readonly #breaker: TierBreaker
  readonly #missed: RecoveryQueue
  failures = 0
  refusals = 0

  constructor({ store, clock, timeout, breaker, missed }: SecondTierOptions<V>) {
    this.store = store
    this.#clock = clock
    this.#timeout = timeout
    this.#breaker = breaker
    this.#missed = missed
  }

  /** `undefined` if the store does not answer. */
  async getMany(keys: readonly string[]): Promise<(StoreEntry<V> | undefined)[] | undefined> {
    const [only] = keys
    const entries = await this.#attempt(async store =>
      keys.length === 1 ? [await store.get(only!)] : await store.getMany(keys),
    )
    return entries && this.#judged(keys, entries)
  }

  /** `undefined` if the store does not answer: then nothing may be written. */
  async lookup(keys: readonly string[]): Promise<StoreLookup<V> | undefined> {
    const found = await this.#attempt(store => store.lookup(keys))
    return found && { ...found, entries: this.#judged(keys, found.entries) }
  }

  /** For each item `false` if the store refused it, as it was invalidated since its fence or cannot be kept. */
  async setMany(items: readonly StoreItem<V>[]): Promise<readonly boolean[]> {
    // What an invalidation will be repeated for would be in the store for a moment only.
    const due = items.filter(({ key, tags }) => !this.#missed.verdict(key, tags ?? []))
    const stored = due.length === 0 ? [] : await this.#attempt(store => store.setMany(due))
    if (stored === undefined) return items.map(() => true)
    for (const kept of stored) if (!kept) this.refusals++
    if (due.length === items.length) return stored
    const refused = new Set(due.filter((_, index) => !stored[index]))
    return items.map(item => !refused.has(item))
  }

  /**
   * The answer of the store.
   *
   * @param late is told how a call ended that was given up
   * @throws {StoreTimeoutError} after the time-out, {@link StoreSuspendedError} where the store is not asked, and what the store throws
   */
  async call<T>(work: (store: Store<V>) => Promise<T>, late?: () => void): Promise<T> {
    const rest = this.#breaker.enter()
    if (rest > 0) throw new StoreSuspendedError(rest)
    try {
      const answer = await this.#within(work, late)
      this.#breaker.settle(true)
      return answer
    } catch (error) {
      // A store that says what is wrong with a value, or that it is closed, is there.
      this.#breaker.settle(isAnswer(error))
      throw error
    }
  }

  #within<T>(work: (store: Store<V>) => Promise<T>, late: (() => void) | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      let over = false
      const timer = this.#clock.setTimer(() => {
        over = true
        reject(new StoreTimeoutError(this.#timeout))
      }, this.#timeout)
      // Without a signal, which would cost more than the rest: what a store does too late harms nothing.
      const end = (settle: () => void): void => {
        timer.cancel()
        if (over) late?.()
        else settle()
      }
      try {
        work(this.store).then(
          answer => end(() => resolve(answer)),
          error => end(() => reject(error)),
        )
      } catch (error) {
        end(() => reject(error))
      }
    })
  }

  async #attempt<T>(work: (store: Store<V>) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.call(work)
    } catch (error) {
      // Counted, and as good as a miss.
      if (!(error instanceof StoreSuspendedError)) this.failures++
      return undefined
    }
  }

  /** The entries as they are if the store had heard of all invalidations. */
  #judged(
    keys: readonly string[],
    entries: readonly (StoreEntry<V> | undefined)[],
  ): (StoreEntry<V> | undefined)[] {
    if (this.#missed.size === 0) return entries as (StoreEntry<V> | undefined)[]
    return entries.map((entry, index) => {
      const verdict = entry && this.#missed.verdict(keys[index]!, entry.tags)
      if (verdict === 'delete') return undefined
      return verdict === 'expire' ? { ...entry!, expires: 0 } : entry
    })
  }
}

function isAnswer(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return (
    code === 'ERR_MILLRACE_UNENCODABLE_VALUE' ||
    code === 'ERR_MILLRACE_INVALID_OPTION' ||
    code === 'ERR_MILLRACE_STORE_CLOSED'
  )
}
