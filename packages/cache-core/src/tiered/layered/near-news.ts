import type { Clock } from '@millrace/kit'
import type { Store } from '../../store/contract/store.ts'
import type { Invalidation } from '../bus/invalidation-bus.ts'
import { Recovery } from '../recovery/recovery.ts'
import type { RecoveryQueue } from '../recovery/recovery-queue.ts'
import { applyToStore } from '../store/apply-to-store.ts'
import type { BoundedStore } from '../store/bounded-store.ts'

const PAGE = 500

/** What {@link NearNews} work on. */
export interface NearNewsOptions<V> {
  readonly near: BoundedStore<V>
  /** What `near` has still to be told of; its reads are judged by it. */
  readonly missed: RecoveryQueue
  readonly clock: Clock
  /** ms between attempts to tell it. */
  readonly interval: number
}

/**
 * How `near` learns what became outdated in `far`. It is a cache of that: where it cannot be told, nothing has failed, and it is read as if
 * it had been told until it is.
 */
export class NearNews<V> {
  readonly #near: BoundedStore<V>
  readonly #missed: RecoveryQueue
  readonly #recovery: Recovery

  constructor({ near, missed, clock, interval }: NearNewsOptions<V>) {
    this.#near = near
    this.#missed = missed
    this.#recovery = new Recovery({
      clock,
      queue: missed,
      interval,
      repeat: each => applyToStore(near, each),
    })
  }

  /** From now on `near` is read as if it knew, until it does. */
  hear(news: readonly Invalidation[]): void {
    this.#recovery.add(news)
    void this.#recovery.attempt()
  }

  /** All keys of `near`; none, and it is to be emptied, where it does not tell them. */
  async keys(prefix: string, mayGoOn: () => void): Promise<Set<string>> {
    const keys = new Set<string>()
    try {
      for await (const page of this.#near.pages(prefix, PAGE, mayGoOn)) {
        for (const key of page) keys.add(key)
      }
    } catch {
      mayGoOn()
      this.hear([{ verb: 'delete', target: 'all', name: '' }])
    }
    return keys
  }

  /** Tells `near` by `act`, else as above. Its answer, `undefined` if it gave none; never rejects. */
  async tell<T>(
    news: readonly Invalidation[],
    act: (store: Store<V>) => Promise<T>,
  ): Promise<T | undefined> {
    const keys = news.filter(({ target }) => target === 'key').map(({ name }) => name)
    const order = this.#missed.begin(keys)
    try {
      const answer = await this.#near.call(act)
      for (const each of news) this.#missed.overtake(each, order)
      return answer
    } catch {
      // Counted where it was called.
      this.#recovery.add(news, order)
      return undefined
    } finally {
      this.#missed.end(keys)
    }
  }

  /** Tries once more to tell what is left. */
  close(): Promise<void> {
    return this.#recovery.close(this.#near.timeout)
  }
}
