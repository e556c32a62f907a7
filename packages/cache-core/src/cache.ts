import { type Advice, Advisor } from './advise/advisor.ts'
import { Departures } from './advise/departures.ts'
import { Observer } from './advise/observer.ts'
import { type Clock, systemClock, type Timer } from './clock.ts'
import { InvalidOptionError, WeigherError } from './errors.ts'
import { type Explanation, explain } from './explain.ts'
import { Glob } from './invalidate/glob.ts'
import { type TagStamp, TagTable } from './invalidate/tag-table.ts'
import { ABSENT, FRESH, GONE, Kernel, type RemovalReason, STALE } from './kernel.ts'
import { EntryDetail } from './load/entry-detail.ts'
import type { LoadContext } from './load/flight.ts'
import { type BatchLoader, loadMany } from './load/load-many.ts'
import { checkTags, type LoadOptions, type LoadPlan, planLoad } from './load/load-options.ts'
import type { Loaded } from './load/loaded.ts'
import { type Loader, Loads } from './load/loads.ts'
import {
  assertFunction,
  assertPositive,
  assertPositiveInteger,
  type CacheOptions,
  LARGEST_MAP,
  type SetOptions,
} from './options.ts'
import { createPolicy } from './policy/create-policy.ts'
import { checkMemoryPressure, PressureRelief } from './size/memory-pressure.ts'
import { repeat } from './size/repeat.ts'
import { type CacheSnapshot, checkSnapshot, restoreSnapshot, takeSnapshot } from './snapshot.ts'

/** Counters of a cache since its creation or the last `resetStats`. */
export interface CacheStats {
  /** Reads that found a valid entry. */
  readonly hits: number
  /** Reads that did not. */
  readonly misses: number
  /** hits / (hits + misses); 0 before the first read. */
  readonly hitRate: number
  /** Entries now, expired ones that were not yet removed included. */
  readonly entries: number
  /** Total weight now; 0 without a weigher. */
  readonly bytes: number
  /** New keys stored. */
  readonly insertions: number
  /** Values not stored because they are heavier than the cache or admission was stopped. */
  readonly refusals: number
  /** Removals by reason. */
  readonly removals: Readonly<Record<RemovalReason, number>>
  /** Keys being loaded now. */
  readonly loading: number
  /** Calls of loaders that succeeded. */
  readonly loads: number
  /** Calls of loaders that failed or passed their deadline. */
  readonly loadFailures: number
  /** ms spent in calls of loaders. */
  readonly loadTime: number
  /** Loaded values not stored because the key was invalidated or set meanwhile. */
  readonly loadsDiscarded: number
  /** Expired values served by `staleWhileRevalidate` or `staleIfError`. */
  readonly staleServed: number
}

/**
 * A bounded cache in the memory of this process.
 *
 * Every verb is O(1) unless it says otherwise. Keys are compared as `Map` compares them and may be of any type.
 */
export class Cache<K, V> {
  readonly #kernel: Kernel<K, V>
  readonly #clock: Clock
  readonly #enabled: boolean
  readonly #ttl: number
  readonly #jitter: number
  readonly #weigher: ((value: V, key: K) => number) | undefined
  readonly #tags = new TagTable()
  readonly #loads: Loads<K, V>
  readonly #observer: Observer<K> | undefined
  readonly #relief: PressureRelief | undefined
  readonly #timers: Timer[] = []

  /** @throws {InvalidOptionError} if an option is outside its bounds. */
  constructor(options: CacheOptions<K, V> = {}) {
    const {
      maxBytes = Infinity,
      maxEntries = maxBytes === Infinity ? 256 : LARGEST_MAP,
      weigher,
      ttl = Infinity,
      idleTtl = Infinity,
      ttlJitter = 0,
      policy = 'adaptive',
      enabled = true,
      onRemove,
      sweepInterval = Infinity,
      memoryPressure = false,
      advice = false,
      explanations = false,
      clock = systemClock,
    } = options
    assertPositiveInteger('maxEntries', maxEntries, LARGEST_MAP)
    assertPositive('maxBytes', maxBytes)
    assertPositive('ttl', ttl)
    assertPositive('idleTtl', idleTtl)
    assertPositive('sweepInterval', sweepInterval)
    if (!(ttlJitter >= 0 && ttlJitter <= 1)) {
      throw new InvalidOptionError('ttlJitter', 'a number from 0 to 1', ttlJitter)
    }
    if (weigher === undefined && maxBytes !== Infinity) {
      throw new InvalidOptionError('weigher', 'a function, as `maxBytes` is given', weigher)
    }
    assertFunction('weigher', weigher)
    assertFunction('onRemove', onRemove)
    this.#clock = clock
    this.#enabled = enabled
    this.#ttl = ttl
    this.#jitter = ttlJitter
    this.#weigher = weigher
    this.#kernel = new Kernel(
      free => createPolicy(policy, free),
      maxEntries,
      maxBytes,
      weigher !== undefined,
      idleTtl === Infinity ? 0 : idleTtl,
      clock,
    )
    const kernel = this.#kernel
    if (onRemove !== undefined) kernel.onRemove = onRemove
    if (advice !== false || explanations) {
      const { sample } = typeof advice === 'object' ? advice : {}
      this.#observer = new Observer(
        advice === false
          ? null
          : new Advisor(kernel.hasher, policy, maxEntries, maxBytes, weigher !== undefined, sample),
        explanations ? new Departures(kernel.hasher, maxEntries) : null,
      )
      kernel.observe(this.#observer)
    }
    if (sweepInterval !== Infinity) {
      this.#timers.push(repeat(clock, sweepInterval, kernel as Kernel<unknown, unknown>, purge))
    }
    if (memoryPressure !== false) {
      const pressure = checkMemoryPressure(memoryPressure === true ? {} : memoryPressure)
      this.#relief = new PressureRelief(kernel as Kernel<unknown, unknown>, pressure)
      this.#timers.push(repeat(clock, pressure.interval, this.#relief, checkPressure))
    }
    this.#loads = new Loads(
      this.#kernel,
      this.#tags,
      clock,
      (key, value, loadTtl, tags, plan) => this.#store(key, value, loadTtl ?? ttl, tags, plan),
      planLoad(options),
      enabled,
      this.#observer,
    )
  }

  /** Number of entries, expired ones that were not yet removed included. */
  get size(): number {
    return this.#kernel.size
  }

  /** The value under `key`, or `undefined` if there is none that is valid. Counts a hit or a miss. */
  get(key: K): V | undefined {
    const kernel = this.#kernel
    const slot = kernel.find(key)
    return slot === ABSENT ? undefined : kernel.values[slot]
  }

  /** Like `get`, but counts nothing and does not make the entry look used. */
  peek(key: K): V | undefined {
    const kernel = this.#kernel
    const slot = kernel.locate(key)
    return slot !== ABSENT && kernel.state(slot) === FRESH ? kernel.values[slot] : undefined
  }

  /** Whether there is a valid entry. Counts nothing. */
  has(key: K): boolean {
    const slot = this.#kernel.locate(key)
    return slot !== ABSENT && this.#kernel.state(slot) === FRESH
  }

  /**
   * Stores a value, replacing an older one. A load of the key that is in progress will not replace it.
   *
   * @throws {InvalidOptionError} if `ttl` is not > 0 or `tags` is not an array of strings.
   * @throws {WeigherError} if the weigher returned something else than a finite number >= 0.
   */
  set(key: K, value: V, options?: SetOptions): this {
    if (!this.#enabled) return this
    let ttl = this.#ttl
    let tags = NO_TAGS
    if (options !== undefined) {
      if (options.ttl !== undefined) {
        ttl = options.ttl
        assertPositive('ttl', ttl)
      }
      if (options.tags !== undefined) tags = checkTags(options.tags)
    }
    this.#store(key, value, ttl, tags, this.#loads.defaults)
    if (this.#loads.inFlight !== 0) this.#loads.fence(key, STALE)
    return this
  }

  /**
   * The value under `key`; if there is none, `loader` is called, once for all who ask meanwhile, and its
   * result is stored unless the key was invalidated while it loaded. A hit costs one resolved promise;
   * see {@link getOrLoadSync} to save that too.
   *
   * Rejects with what the loader threw, `LoadTimeoutError`, `LoadResultError`, the reason of `signal`, or
   * `InvalidOptionError`. Options are not looked at on a hit.
   */
  getOrLoad(key: K, loader: Loader<K, V>, options?: LoadOptions): Promise<V> {
    const kernel = this.#kernel
    const slot = kernel.find(key)
    if (slot !== ABSENT && (kernel.details === null || !this.#loads.isDue(slot))) {
      return Promise.resolve(kernel.values[slot] as V)
    }
    try {
      return Promise.resolve(this.#loads.load(key, loader, this.#loads.plan(options)))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * As {@link getOrLoad}, but returns the value itself, without a promise, where it is in the cache or the
   * loader is synchronous, and throws where that fails at once.
   */
  getOrLoadSync(
    key: K,
    loader: (context: LoadContext<K, V>) => V | Loaded<V>,
    options?: LoadOptions,
  ): V
  getOrLoadSync(key: K, loader: Loader<K, V>, options?: LoadOptions): V | Promise<V>
  getOrLoadSync(key: K, loader: Loader<K, V>, options?: LoadOptions): V | Promise<V> {
    const kernel = this.#kernel
    const slot = kernel.find(key)
    if (slot !== ABSENT && (kernel.details === null || !this.#loads.isDue(slot))) {
      return kernel.values[slot] as V
    }
    return this.#loads.load(key, loader, this.#loads.plan(options))
  }

  /**
   * The values under `keys`, in their order. Those that are missing are loaded by one call of `loader`,
   * except those being loaded already. A key for which the loader has no value is not in the result.
   *
   * Rejects with `PartialLoadError`, which has the values there are, if a key failed; with the reason
   * of `signal`, or `InvalidOptionError`.
   */
  getOrLoadMany(
    keys: Iterable<K>,
    loader: BatchLoader<K, V>,
    options?: LoadOptions,
  ): Promise<Map<K, V>> {
    try {
      return loadMany(this.#loads, keys, loader, this.#loads.plan(options))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Removes the entry. A load of the key in progress is not stored. True if there was a valid entry. */
  delete(key: K): boolean {
    if (this.#loads.inFlight !== 0) this.#loads.fence(key, GONE)
    return this.#kernel.remove(key, 'deleted')
  }

  /**
   * Ends the freshness of the entry: it is not read any more, but a stale copy may serve where
   * `staleWhileRevalidate` or `staleIfError` allow. True if there was a valid entry.
   */
  expire(key: K): boolean {
    if (this.#loads.inFlight !== 0) this.#loads.fence(key, STALE)
    const slot = this.#kernel.locate(key)
    if (slot === ABSENT || this.#kernel.state(slot) !== FRESH) return false
    this.#kernel.stale(slot)
    return true
  }

  /** Removes every entry that has the tag, without looking for them: O(1), they leave when next met. */
  deleteTag(tag: string): void {
    this.#tags.delete(tag)
  }

  /** Expires every entry that has the tag. O(1). */
  expireTag(tag: string): void {
    this.#tags.expire(tag, this.#clock.now())
  }

  /**
   * Removes every entry whose key is a string that matches a pattern of `*`, `?` and `\` (see
   * {@link Glob}). Returns how many were valid. O(n).
   *
   * @throws {InvalidOptionError} if `pattern` is not a string of 1 to 1,024 characters.
   */
  deleteMatching(pattern: string): number {
    const matches = keyMatcher(pattern)
    this.#loads.fenceMatching(matches, GONE)
    let count = 0
    for (const key of [...this.#kernel.index.keys()].filter(matches)) {
      if (this.#kernel.remove(key, 'invalidated')) count++
    }
    return count
  }

  /** Expires every entry whose key matches, as {@link deleteMatching} does. O(n). */
  expireMatching(pattern: string): number {
    return this.#expireWhere(keyMatcher(pattern))
  }

  /**
   * Removes every entry; with `{ expire: true }` ends their freshness instead. Loads in progress are not
   * stored. O(n).
   */
  clear({ expire = false }: { expire?: boolean } = {}): void {
    if (expire) {
      this.#expireWhere(() => true)
      return
    }
    this.#loads.fenceMatching(() => true, GONE)
    this.#tags.clear()
    this.#kernel.clear('cleared')
  }

  /** A snapshot of the counters. */
  stats(): CacheStats {
    const { hits, misses, size, weight, insertions, refusals, removed } = this.#kernel
    return {
      hits,
      misses,
      hitRate: hits === 0 ? 0 : hits / (hits + misses),
      entries: size,
      bytes: weight,
      insertions,
      refusals,
      removals: removed,
      loading: this.#loads.inFlight,
      loads: this.#loads.loads,
      loadFailures: this.#loads.failures,
      loadTime: this.#loads.time,
      loadsDiscarded: this.#loads.discarded,
      staleServed: this.#loads.staleServed,
    }
  }

  /** Sets all counters of `stats` to 0. */
  resetStats(): void {
    this.#kernel.resetStats()
    this.#loads.resetStats()
  }

  /**
   * Estimates what other sizes and policies would give, from what was read so far.
   *
   * @throws {InvalidOptionError} if the cache was not created with `advice: true`.
   */
  advise(): Advice {
    const advisor = this.#observer?.advisor
    if (!advisor) throw new InvalidOptionError('advice', '`true` for `advise` to work', false)
    const { hits, misses, removed } = this.#kernel
    const removals = Object.values(removed).reduce((sum, count) => sum + count, 0)
    return {
      sample: advisor.sample,
      reads: advisor.reads,
      hitRate: hits === 0 ? 0 : hits / (hits + misses),
      expired: removals === 0 ? 0 : removed.expired / removals,
      estimates: advisor.estimates(),
    }
  }

  /** Why a read of `key` would hit or miss. Counts and changes nothing. O(1). */
  explain(key: K): Explanation {
    const entry = explain(this.#kernel, key, this.#observer?.departures?.reason(key))
    return { ...entry, ...this.#loads.explain(key) }
  }

  /**
   * Changes the limits while the cache is in use, and evicts what no longer fits. O(n).
   *
   * @throws {InvalidOptionError} if a limit is outside its bounds, or `maxBytes` is given without a weigher.
   */
  resize({ maxEntries, maxBytes }: { maxEntries?: number; maxBytes?: number }): void {
    const entries = maxEntries ?? this.#relief?.entries ?? this.#kernel.maxEntries
    const weight = maxBytes ?? this.#relief?.weight ?? this.#kernel.maxWeight
    assertPositiveInteger('maxEntries', entries, LARGEST_MAP)
    assertPositive('maxBytes', weight)
    if (maxBytes !== undefined && this.#weigher === undefined) {
      throw new InvalidOptionError('weigher', 'a function, as `maxBytes` is given', undefined)
    }
    if (this.#relief === undefined) this.#kernel.resize(entries, weight)
    else this.#relief.relimit(entries, weight)
  }

  /** Removes what has expired, and returns how many entries that were. Never needed for correctness. O(n). */
  purge(): number {
    return this.#kernel.purge()
  }

  /** A copy of the entries and of what the policy knows, as plain data, to start another cache with. O(n). */
  dump(): CacheSnapshot<K, V> {
    return takeSnapshot(this.#kernel, slot => {
      const guard = this.#kernel.guards?.[slot]
      return guard === undefined ? undefined : (guard as TagStamp).names
    })
  }

  /**
   * Adds the entries of a snapshot that have not expired meanwhile and whose keys are not there already, and returns how many
   * those were. An empty cache with the same policy also goes on with what that had learned. O(n).
   *
   * @throws {SnapshotError} if the snapshot is damaged; nothing has changed then.
   */
  load(snapshot: CacheSnapshot<K, V>): number {
    checkSnapshot(snapshot)
    if (!this.#enabled) return 0
    return restoreSnapshot(this.#kernel, snapshot, (entry, expires, retained) => {
      const { key, value, tags } = entry
      const stamp = tags === undefined ? undefined : this.#tags.stamp(tags, () => this.#stamps())
      this.#kernel.store(key, value, expires, retained, this.#weigh(value, key), stamp)
    })
  }

  /** Stops the timers of `sweepInterval` and `memoryPressure`. Entries stay readable. */
  [Symbol.dispose](): void {
    for (const timer of this.#timers) timer.cancel()
  }

  /** Valid entries, oldest insertion first. Entries set or deleted meanwhile may or may not appear. Counts nothing. */
  *entries(): IterableIterator<[K, V]> {
    const kernel = this.#kernel
    for (const [key, slot] of kernel.index) {
      if (kernel.state(slot) === FRESH) yield [key, kernel.values[slot] as V]
    }
  }

  /** Keys of valid entries, as `entries`. */
  *keys(): IterableIterator<K> {
    for (const [key] of this.entries()) yield key
  }

  /** Values of valid entries, as `entries`. */
  *values(): IterableIterator<V> {
    for (const [, value] of this.entries()) yield value
  }

  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.entries()
  }

  #expireWhere(matches: (key: K) => boolean): number {
    const kernel = this.#kernel
    this.#loads.fenceMatching(matches, STALE)
    let count = 0
    for (const [key, slot] of kernel.index) {
      if (!matches(key) || kernel.state(slot) !== FRESH) continue
      kernel.stale(slot)
      count++
    }
    return count
  }

  #store(key: K, value: V, ttl: number, tags: readonly string[], plan: LoadPlan): void {
    const kernel = this.#kernel
    const weight = this.#weigh(value, key)
    if (ttl === Infinity && tags.length === 0) {
      // Numbers that are computed would be allocated for the call.
      kernel.store(key, value, Infinity, Infinity, weight)
      return
    }
    const expires = this.#deadline(ttl)
    const stamp = tags.length === 0 ? undefined : this.#tags.stamp(tags, () => this.#stamps())
    const detail =
      plan.eagerRefresh === 0 || expires === Infinity
        ? undefined
        : new EntryDetail(expires - ttl * (1 - plan.eagerRefresh))
    const retained = expires + Math.max(plan.staleWhileRevalidate, plan.staleIfError)
    kernel.store(key, value, expires, retained, weight, stamp, detail)
  }

  *#stamps(): Generator<TagStamp> {
    for (const guard of this.#kernel.guards ?? []) if (guard !== undefined) yield guard as TagStamp
  }

  /** When an entry written now expires, ms on the clock. */
  #deadline(ttl: number): number {
    if (ttl === Infinity) return Infinity
    return this.#clock.now() + (this.#jitter === 0 ? ttl : ttl * (1 - Math.random() * this.#jitter))
  }

  #weigh(value: V, key: K): number {
    if (this.#weigher === undefined) return 1
    const weight = this.#weigher(value, key)
    if (typeof weight !== 'number' || !(weight >= 0 && weight < Infinity)) {
      throw new WeigherError(weight)
    }
    return weight
  }
}

const NO_TAGS: readonly string[] = []

// Outside the class: a function made in its constructor would keep the cache alive, and a timer the function.
function purge(kernel: Kernel<unknown, unknown>): void {
  kernel.purge()
}

function checkPressure(relief: PressureRelief): void {
  relief.check()
}

function keyMatcher(pattern: string): (key: unknown) => boolean {
  const glob = new Glob(pattern)
  return key => typeof key === 'string' && glob.test(key)
}
