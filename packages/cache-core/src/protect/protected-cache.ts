import {
  checkFunction,
  checkOneOf,
  checkOptions,
  isThenable,
  type OptionNames,
} from '@millrace/kit'
import { Cache } from '../cache/cache.ts'
import type { CacheOptions, SetOptions } from '../cache/cache-options.ts'
import { CACHE_CHECKS } from '../cache/settings.ts'
import { type BatchItem, type BatchLoader, itemsOf } from '../load/batch-loader.ts'
import type { LoadOptions } from '../load/load-options.ts'
import { Loaded } from '../load/loaded.ts'
import type { LoadContext, Loader } from '../load/loader.ts'
import { deepFreeze } from './deep-freeze.ts'

/**
 * How values are protected from those who get them.
 * - `freeze`: what is stored is frozen with all that it holds, so that a change throws where it is made; hits cost nothing more
 * - `clone`: each caller gets a structured clone of its own, and the cache keeps one; hits cost O(size of the value)
 */
export type Protection = 'freeze' | 'clone'

/** Options of a {@link ProtectedCache}. */
export interface ProtectedCacheOptions<K, V> extends CacheOptions<K, V> {
  /** Default: 'freeze'. */
  readonly protect?: Protection | undefined
}

const OPTIONS: OptionNames<ProtectedCacheOptions<unknown, unknown>> = {
  ...CACHE_CHECKS,
  protect: true,
}

/**
 * A `Cache` for development and tests that finds code which changes cached values: with `freeze` the change throws, with `clone` it does not
 * reach the cache, so that a test which fails without it shows where to look. What cannot be cloned, such as a function, is refused with
 * a `DataCloneError`.
 */
export class ProtectedCache<K, V> extends Cache<K, V> {
  readonly #clones: boolean
  /** Makes a value fit to be stored. */
  readonly #protect: <T>(value: T) => T

  /** @throws {InvalidOptionError} */
  constructor(options: ProtectedCacheOptions<K, V> = {}) {
    const { protect = 'freeze', ...cache } = checkOptions(
      '',
      options as ProtectedCacheOptions<unknown, unknown>,
      OPTIONS,
    )
    super(cache as CacheOptions<K, V>)
    this.#clones = checkOneOf<Protection>('protect', protect, ['freeze', 'clone']) === 'clone'
    this.#protect = this.#clones ? structuredClone : deepFreeze
  }

  override get(key: K): V | undefined {
    return this.#hand(super.get(key))
  }

  override peek(key: K): V | undefined {
    return this.#hand(super.peek(key))
  }

  override set(key: K, value: V, options?: SetOptions): this {
    return super.set(key, this.#protect(value), options)
  }

  override getOrLoad(key: K, loader: Loader<K, V>, options?: LoadOptions): Promise<V> {
    const answer = super.getOrLoad(key, this.#protecting(loader), options)
    return this.#clones ? answer.then(value => this.#hand(value)) : answer
  }

  override getOrLoadSync(
    key: K,
    loader: (context: LoadContext<K, V>) => V | Loaded<V>,
    options?: LoadOptions,
  ): V
  override getOrLoadSync(key: K, loader: Loader<K, V>, options?: LoadOptions): V | Promise<V>
  override getOrLoadSync(key: K, loader: Loader<K, V>, options?: LoadOptions): V | Promise<V> {
    const answer = super.getOrLoadSync(key, this.#protecting(loader), options)
    if (!this.#clones) return answer
    return isThenable(answer) ? answer.then(value => this.#hand(value)) : this.#hand(answer)
  }

  override async getOrLoadMany(
    keys: Iterable<K>,
    loader: BatchLoader<K, V>,
    options?: LoadOptions,
  ): Promise<Map<K, V>> {
    checkFunction('loader', loader)
    const found = await super.getOrLoadMany(
      keys,
      async (missing, context) =>
        itemsOf(await loader(missing, context), missing).map(item => this.#protectItem(item)),
      options,
    )
    if (this.#clones) for (const [key, value] of found) found.set(key, this.#hand(value))
    return found
  }

  override *entries(): IterableIterator<[K, V]> {
    for (const [key, value] of super.entries()) yield [key, this.#hand(value)]
  }

  #hand<T>(value: T): T {
    return this.#clones ? structuredClone(value) : value
  }

  #protecting(loader: Loader<K, V>): Loader<K, V> {
    checkFunction('loader', loader)
    return context => {
      const result = loader(context)
      return isThenable(result)
        ? result.then(item => this.#protectItem(item))
        : this.#protectItem(result)
    }
  }

  #protectItem<I extends BatchItem<V>>(item: I): I {
    if (item instanceof Error) return item
    if (!(item instanceof Loaded)) return this.#protect(item)
    return new Loaded(this.#protect(item.value), item) as typeof item
  }
}
