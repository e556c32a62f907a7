import type { Store } from '../../store/contract/store.ts'
import type { Invalidation } from '../bus/invalidation-bus.ts'
import type { Recovery } from '../recovery/recovery.ts'
import type { BoundedStore } from '../store/bounded-store.ts'
import type { NearNews } from './near-news.ts'

/** A change of two stores. */
export interface LayeredChange<V, T, U> {
  /** What is done to `far`. */
  readonly first: (store: Store<V>) => Promise<T>
  /** What is done to `near` then. */
  readonly second: (store: Store<V>) => Promise<U>
  /** What becomes outdated in `near`. */
  readonly news: readonly Invalidation[]
  /** Whether `far` takes a write, and is told the news too where it does so after the write was given up. Default: false */
  readonly written?: boolean
}

/** What changes both stores, `far` first. */
export class LayeredChanges<V> {
  readonly #far: BoundedStore<V>
  readonly #news: NearNews<V>
  readonly #late: Recovery
  /** Those of which `near` may not have been told yet. */
  readonly #running = new Set<Promise<unknown>>()

  /** @param late repeats the news of writes that `far` took after they had been given up */
  constructor(far: BoundedStore<V>, news: NearNews<V>, late: Recovery) {
    this.#far = far
    this.#news = news
    this.#late = late
  }

  /**
   * First `far`: a value read there before, which is about to be kept in `near`, is refused by the fence that is outdated afterwards.
   * `near` in any case. Rejects if `far` fails.
   */
  async apply<T, U>(change: LayeredChange<V, T, U>): Promise<[far: T, near: U | undefined]> {
    const running = this.#apply(change)
    this.#running.add(running)
    const [far, near] = await running
    this.#running.delete(running)
    if (far.status === 'rejected') throw far.reason
    return [far.value, near]
  }

  /** Resolves when none is running. */
  async settled(): Promise<void> {
    while (this.#running.size !== 0) await Promise.allSettled(this.#running)
  }

  async #apply<T, U>({
    first,
    second,
    news,
    written = false,
  }: LayeredChange<V, T, U>): Promise<[PromiseSettledResult<T>, U | undefined]> {
    const late = (): void => {
      if (!written) return
      this.#late.add(news)
      void this.#late.attempt()
    }
    const [far] = await Promise.allSettled([this.#far.call(first, late)])
    return [far, await this.#news.tell(news, second)]
  }
}

/** News of keys that are deleted. */
export function deletesOf(keys: readonly string[]): Invalidation[] {
  return keys.map(name => ({ verb: 'delete', target: 'key', name }))
}
