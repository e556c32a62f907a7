import { InvalidOptionError } from '@millrace/kit'
import type { Cache } from '../cache/cache.ts'
import type { ClearOptions, SetOptions } from '../cache/cache-options.ts'
import { clearsByExpiry } from '../cache/call-options.ts'
import { encodeArguments } from '../key/encode-arguments.ts'
import type { BatchLoader, BatchResult } from '../load/batch-loader.ts'
import type { LoadOptions } from '../load/load-options.ts'
import type { Loaded } from '../load/loaded.ts'
import type { LoadContext, Loader } from '../load/loader.ts'

/** What a cache takes, in UTF-16 code units, less room for the prefix of the view. */
const MAX_PATTERN_LENGTH = 1_000

/** One typed namespace of a cache that it shares with others: its keys meet no other view's. Made by `Views`. */
export class View<K, V> {
  readonly name: string
  readonly #cache: Cache<string, V>
  /** A number and a colon: it ends where no other view's can, and means nothing in a pattern. */
  readonly #prefix: string

  constructor(cache: Cache<string, V>, name: string, number: number) {
    this.name = name
    this.#cache = cache
    this.#prefix = `${number}:`
  }

  /** The value under `key`, or `undefined` if there is none that is valid. */
  get(key: K): V | undefined {
    return this.#cache.get(this.#qualify(key))
  }

  /** Like `get`, but counts nothing and does not make the entry look used. */
  peek(key: K): V | undefined {
    return this.#cache.peek(this.#qualify(key))
  }

  /** Whether there is a valid entry. Counts nothing. */
  has(key: K): boolean {
    return this.#cache.has(this.#qualify(key))
  }

  /** Stores a value, replacing an older one. A load of the key that is in progress will not replace it. */
  set(key: K, value: V, options?: SetOptions): this {
    this.#cache.set(this.#qualify(key), value, options)
    return this
  }

  /** As `Cache.getOrLoad`. */
  getOrLoad(key: K, loader: Loader<K, V>, options?: LoadOptions): Promise<V> {
    return this.#cache.getOrLoad(this.#qualify(key), this.#unqualify(key, loader), options)
  }

  /** As `Cache.getOrLoadSync`. */
  getOrLoadSync(
    key: K,
    loader: (context: LoadContext<K, V>) => V | Loaded<V>,
    options?: LoadOptions,
  ): V
  getOrLoadSync(key: K, loader: Loader<K, V>, options?: LoadOptions): V | Promise<V>
  getOrLoadSync(key: K, loader: Loader<K, V>, options?: LoadOptions): V | Promise<V> {
    return this.#cache.getOrLoadSync(this.#qualify(key), this.#unqualify(key, loader), options)
  }

  /** As `Cache.getOrLoadMany`. Of keys that are equal by content the first stands for all. */
  async getOrLoadMany(
    keys: Iterable<K>,
    loader: BatchLoader<K, V>,
    options?: LoadOptions,
  ): Promise<Map<K, V>> {
    const byQualified = new Map<string, K>()
    for (const key of keys) {
      const qualified = this.#qualify(key)
      if (!byQualified.has(qualified)) byQualified.set(qualified, key)
    }
    const results = await this.#cache.getOrLoadMany(
      byQualified.keys(),
      async (wanted, context) => {
        const own = wanted.map(qualified => byQualified.get(qualified)!)
        const result: BatchResult<K, V> = await loader(own, {
          stale: key => context.stale(this.#qualify(key)),
          background: key => context.background(this.#qualify(key)),
          get signal() {
            return context.signal
          },
        })
        return result instanceof Map ? own.map(key => result.get(key)) : (result as readonly V[])
      },
      options,
    )
    return new Map(
      Array.from(results, ([qualified, value]) => [byQualified.get(qualified)!, value]),
    )
  }

  /** Removes the entry. True if there was a valid one. */
  delete(key: K): boolean {
    return this.#cache.delete(this.#qualify(key))
  }

  /** Ends the freshness of the entry. True if there was a valid one. */
  expire(key: K): boolean {
    return this.#cache.expire(this.#qualify(key))
  }

  /**
   * Removes every entry whose key is a string that matches, and returns how many were valid. O(entries of all views).
   *
   * @throws {InvalidOptionError} if `pattern` is not a string of 1 to 1,000 characters.
   */
  deleteMatching(pattern: string): number {
    return this.#cache.deleteMatching(this.#qualifyPattern(pattern))
  }

  /** Expires every entry whose key is a string that matches, as {@link deleteMatching} does. */
  expireMatching(pattern: string): number {
    return this.#cache.expireMatching(this.#qualifyPattern(pattern))
  }

  /**
   * Removes the entries of this view and of no other; with `{ expire: true }` ends their freshness.
   * O(entries of all views).
   */
  clear(options?: ClearOptions): void {
    const all = `${this.#prefix}*`
    if (clearsByExpiry(options)) this.#cache.expireMatching(all)
    else this.#cache.deleteMatching(all)
  }

  /** s: the string itself; d: a number; e: encoded. */
  #qualify(key: K): string {
    // Without encoding even one that looks encoded, as patterns are for strings as they are.
    if (typeof key === 'string') return `${this.#prefix}s${key}`
    const encoded = encodeArguments([key])
    return `${this.#prefix}${typeof encoded === 'number' ? 'd' : 'e'}${encoded}`
  }

  #qualifyPattern(pattern: string): string {
    if (typeof pattern !== 'string' || pattern === '' || pattern.length > MAX_PATTERN_LENGTH) {
      const expected = `a string of 1 to ${MAX_PATTERN_LENGTH} characters`
      throw new InvalidOptionError('pattern', expected, pattern)
    }
    return `${this.#prefix}s${pattern}`
  }

  #unqualify(key: K, loader: Loader<K, V>): Loader<string, V> {
    // What is no function is left for the cache to refuse.
    if (typeof loader !== 'function') return loader
    return context =>
      loader({
        key,
        stale: context.stale,
        background: context.background,
        get signal() {
          return context.signal
        },
      })
  }
}
