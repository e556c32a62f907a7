import { describeStats, InvalidOptionError } from '@millrace/kit'
import { Cache } from '../cache/cache.ts'
import type { CacheOptions, ClearOptions } from '../cache/cache-options.ts'
import { CACHE_STATS_KINDS, type CacheStats } from '../cache/cache-stats.ts'
import { View } from './view.ts'

/** What identifies a version of the source: a hash of its tree, a revision, a time stamp. Compared with `Object.is`. */
export type Version = string | number | bigint

/**
 * Several keyed views of one source in one bounded cache: tracks by index, scenes by index, the list of all tracks.
 *
 * The views share room, statistics and the version of the source. {@link Views.use} names the version in force: when it
 * differs from the last one, everything is dropped at once, and what is being loaded from the old version reaches its
 * callers without being stored. So nothing computed from another version is ever served.
 */
export class Views {
  readonly #cache: Cache<string, unknown>
  readonly #views = new Map<string, View<unknown, unknown>>()
  #version: Version | undefined

  /**
   * @param options those of the cache that holds all views: `maxEntries` (256) counts their entries together
   * @throws {InvalidOptionError} if an option is outside its bounds.
   */
  constructor(options: CacheOptions<string, unknown> = {}) {
    this.#cache = new Cache(options)
  }

  /** The version in force; `undefined` before the first. */
  get version(): Version | undefined {
    return this.#version
  }

  /** Entries of all views, expired ones that were not yet removed included. */
  get size(): number {
    return this.#cache.size
  }

  /**
   * Says which version of the source is read from now on. O(1) if that is the one in force, else O(entries).
   *
   * @returns whether it is another one, so that all views were dropped
   * @throws {InvalidOptionError} unless `version` is a string, a number or a bigint.
   */
  use(version: Version): boolean {
    if (Object.is(version, this.#version)) return false
    const type = typeof version
    if (type !== 'string' && type !== 'number' && type !== 'bigint') {
      throw new InvalidOptionError('version', 'a string, a number or a bigint', version)
    }
    this.#version = version
    this.#cache.clear()
    return true
  }

  /**
   * The view called `name`, the same one for the same name. Keys may be whatever `encodeArguments` can encode, and are
   * compared as it does: objects by their content.
   */
  view<K, V>(name: string): View<K, V> {
    if (typeof name !== 'string') throw new InvalidOptionError('name', 'a string', name)
    let view = this.#views.get(name)
    if (view === undefined) {
      view = new View(this.#cache, name, this.#views.size)
      this.#views.set(name, view)
    }
    return view as View<K, V>
  }

  /** Counters of all views together. */
  stats(): CacheStats {
    return this.#cache.stats()
  }

  /** Removes the entries of all views; with `{ expire: true }` ends their freshness. O(entries). */
  clear(options?: ClearOptions): void {
    this.#cache.clear(options)
  }

  /** Removes every entry of any view that has the tag. O(1). */
  deleteTag(tag: string): void {
    this.#cache.deleteTag(tag)
  }

  /** Expires every entry of any view that has the tag. O(1). */
  expireTag(tag: string): void {
    this.#cache.expireTag(tag)
  }

  /** Stops the timers of `sweepInterval` and `memoryPressure`. Entries stay readable. */
  close(): void {
    this.#cache.close()
  }

  /** As {@link close}. */
  [Symbol.dispose](): void {
    this.close()
  }
}

describeStats<CacheStats>(Views.prototype, CACHE_STATS_KINDS)
