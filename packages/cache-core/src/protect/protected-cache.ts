import {
  checkFunction,
  checkOneOf,
  checkOptions,
  isError,
  isThenable,
  type OptionNames,
} from '@millrace/kit'
import { Cache } from '../cache/cache.ts'
import type { CacheOptions, SetOptions } from '../cache/cache-options.ts'
import { CACHE_CHECKS } from '../cache/settings.ts'
import { PartialLoadError } from '../errors.ts'
import type { RemovalReason } from '../kernel/entry.ts'
import { type BatchItem, type BatchLoader, itemsOf } from '../load/batch-loader.ts'
import type { LoadOptions } from '../load/load-options.ts'
import { Loaded } from '../load/loaded.ts'
import type { LoadContext, Loader } from '../load/loader.ts'
import { ProtectedBatchContext, ProtectedContext } from './protected-contexts.ts'
import { guardOf, noteGuard, type Protection, type ValueGuard } from './protection.ts'

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
  readonly #guard: ValueGuard

  /** @throws {InvalidOptionError} */
  constructor(options: ProtectedCacheOptions<K, V> = {}) {
    const { protect = 'freeze', ...cache } = checkOptions(
      '',
      options as ProtectedCacheOptions<unknown, unknown>,
      OPTIONS,
    )
    checkOneOf<Protection>('protect', protect, ['freeze', 'clone'])
    const guard = guardOf(protect)
    super(guarded(cache as CacheOptions<K, V>, guard))
    this.#clones = protect === 'clone'
    this.#guard = guard
    noteGuard(this, guard)
  }

  override get(key: K): V | undefined {
    return this.#guard.hand(super.get(key))
  }

  override peek(key: K): V | undefined {
    return this.#guard.hand(super.peek(key))
  }

  override set(key: K, value: V, options?: SetOptions): this {
    return super.set(key, this.#guard.keep(value), options)
  }

  override getOrLoad(key: K, loader: Loader<K, V>, options?: LoadOptions): Promise<V> {
    const answer = super.getOrLoad(key, this.#protecting(loader), options)
    return this.#clones ? answer.then(this.#guard.hand) : answer
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
    const { hand } = this.#guard
    return isThenable(answer) ? answer.then(hand) : hand(answer)
  }

  override async getOrLoadMany(
    keys: Iterable<K>,
    loader: BatchLoader<K, V>,
    options?: LoadOptions,
  ): Promise<Map<K, V>> {
    checkFunction('loader', loader)
    const guard = this.#guard
    const protecting: BatchLoader<K, V> = async (missing, context) => {
      const result = await loader(missing, new ProtectedBatchContext(context, guard))
      return itemsOf(result, missing).map(item => this.#protectItem(item))
    }
    try {
      return handAll(await super.getOrLoadMany(keys, protecting, options), guard)
    } catch (error) {
      if (!(error instanceof PartialLoadError)) throw error
      throw new PartialLoadError(handAll(error.results, guard), error.errors)
    }
  }

  override *entries(): IterableIterator<[K, V]> {
    for (const [key, value] of super.entries()) yield [key, this.#guard.hand(value)]
  }

  #protecting(loader: Loader<K, V>): Loader<K, V> {
    checkFunction('loader', loader)
    return context => {
      const result = loader(new ProtectedContext(context, this.#guard))
      return isThenable(result)
        ? result.then(item => this.#protectItem(item))
        : this.#protectItem(result)
    }
  }

  #protectItem<I extends BatchItem<V>>(item: I): I {
    if (isError(item)) return item
    if (!(item instanceof Loaded)) return this.#guard.keep(item)
    return new Loaded(this.#guard.keep(item.value), item) as typeof item
  }
}

/** With functions that get values as callers do. */
function guarded<K, V>(options: CacheOptions<K, V>, { hand }: ValueGuard): CacheOptions<K, V> {
  const { weigher, onRemove } = options
  return {
    ...options,
    // What is no function is refused by the cache.
    ...(typeof weigher === 'function' && {
      weigher: (value: V, key: K) => weigher(hand(value), key),
    }),
    ...(typeof onRemove === 'function' && {
      onRemove: (key: K, value: V, reason: RemovalReason) => onRemove(key, hand(value), reason),
    }),
  }
}

function handAll<K, V>(values: ReadonlyMap<K, V>, { hand }: ValueGuard): Map<K, V> {
  return new Map(Array.from(values, ([key, value]) => [key, hand(value)]))
}
