import { type Clock, checkFunction, isThenable } from '@millrace/kit'
import { type Cache, internalsOf } from '../cache/cache.ts'
import { ABSENT, type Kernel } from '../kernel/kernel.ts'
import type { BatchLoader } from '../load/batch-loader.ts'
import { type LoadOptions, type LoadPlan, planLoad } from '../load/load-options.ts'
import type { Loaded } from '../load/loaded.ts'
import type { LoadContext, Loader } from '../load/loader.ts'
import type { Loads } from '../load/loads.ts'
import type { TierLoad } from './load/tier-load.ts'
import { withSoftTimeout } from './time/soft-timeout.ts'

/** What {@link TierReads} read from. */
export interface TierReadsOptions<V> {
  readonly l1: Cache<string, V>
  readonly load: TierLoad<V>
  readonly clock: Clock
  /** How values are loaded where a call does not say. */
  readonly defaults: LoadPlan
  readonly enabled: boolean
  /** Whether the first tier changes what goes in and out. */
  readonly guarded: boolean
}

/** How values come to callers: from the first tier, where they are shared by all who ask, and behind stale ones that are being replaced. */
export class TierReads<V> {
  readonly #l1: Cache<string, V>
  readonly #load: TierLoad<V>
  readonly #clock: Clock
  readonly #defaults: LoadPlan
  readonly #enabled: boolean
  /** The parts of a first tier that hands out what it has as it is. */
  readonly #kernel: Kernel<string, V> | undefined
  readonly #loads: Loads<string, V>

  constructor({ l1, load, clock, defaults, enabled, guarded }: TierReadsOptions<V>) {
    this.#l1 = l1
    const { kernel, loads } = internalsOf(l1)
    this.#kernel = guarded ? undefined : kernel
    this.#loads = loads
    this.#load = load
    this.#clock = clock
    this.#defaults = defaults
    this.#enabled = enabled
  }

  /** The value of `key` in either tier, or what `loader` returns, as `Cache.getOrLoad`. */
  getOrLoad(key: string, loader: Loader<string, V>, options?: LoadOptions): Promise<V> {
    const kernel = this.#kernel
    if (kernel !== undefined) {
      // As `Cache.getOrLoad`, before anything is made for a load. Benchmark case: tiers "hit in the first tier, awaited".
      const slot = kernel.find(key)
      if (slot !== ABSENT && (kernel.details === null || !this.#loads.isDue(slot))) {
        return Promise.resolve(kernel.values[slot] as V)
      }
    }
    try {
      if (this.#mayFallBack(options) && !this.#l1.has(key)) {
        const plan = this.#plan(options)
        return withSoftTimeout(
          plan,
          this.#clock,
          signal => this.#getOrLoad(key, loader, { ...options, signal }),
          async () => (await this.#load.fallbacks([key], plan))?.get(key)?.value,
        )
      }
      return this.#getOrLoad(key, loader, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #getOrLoad(key: string, loader: Loader<string, V>, options?: LoadOptions): Promise<V> {
    try {
      checkFunction('loader', loader)
      const load = (context: LoadContext<string, V>): Promise<V | Loaded<V>> =>
        this.#load.one(context, loader, this.#plan(options))
      // What `find` has counted is not counted again.
      const answer =
        this.#kernel === undefined
          ? this.#l1.getOrLoadSync(key, load, options)
          : this.#loads.load(key, load, this.#loads.plan(options))
      if (!isThenable(answer)) return Promise.resolve(answer)
      return answer.then(value => {
        if (this.#load.takeDue(key)) this.#refresh(key, loader, options)
        return value
      })
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * The values of `keys`: those the first tier lacks by one read of the second, and those both lack by one call of
   * `loader`, as `Cache.getOrLoadMany`.
   */
  async getOrLoadMany(
    keys: Iterable<string>,
    loader: BatchLoader<string, V>,
    options?: LoadOptions,
  ): Promise<Map<string, V>> {
    if (!this.#mayFallBack(options)) return this.#getOrLoadMany(keys, loader, options)
    const plan = this.#plan(options)
    const wanted = [...keys]
    return withSoftTimeout(
      plan,
      this.#clock,
      signal => this.#getOrLoadMany(wanted, loader, { ...options, signal }),
      () => this.#fallbacks(wanted, plan),
    )
  }

  async #getOrLoadMany(
    keys: Iterable<string>,
    loader: BatchLoader<string, V>,
    options?: LoadOptions,
  ): Promise<Map<string, V>> {
    checkFunction('loader', loader)
    const plan = this.#plan(options)
    const results = await this.#l1.getOrLoadMany(
      keys,
      (missing, context) => this.#load.many(missing, context, loader, plan),
      options,
    )
    const due = [...results.keys()].filter(key => this.#load.takeDue(key))
    if (due.length !== 0) {
      const refresh = this.#l1.getOrLoadMany(
        due,
        (missing, context) => this.#load.many(missing, context, loader, plan, true),
        { ...options, signal: undefined },
      )
      // No caller waits for it: its failure is counted and published by the first tier.
      refresh.catch(() => {})
    }
    return results
  }

  /** Whether a caller may get a stale value at a soft timeout. */
  #mayFallBack(options: LoadOptions | undefined): boolean {
    const { softTimeout, staleIfError } = this.#defaults
    return (
      this.#enabled &&
      (options?.softTimeout ?? softTimeout) !== Infinity &&
      (options?.staleIfError ?? staleIfError) !== 0
    )
  }

  /** The values of all `keys`, fresh or stale, or `undefined` if one has none. */
  async #fallbacks(keys: readonly string[], plan: LoadPlan): Promise<Map<string, V> | undefined> {
    const found = await this.#load.fallbacks(keys, plan)
    const values = new Map<string, V>()
    for (const key of keys) {
      const value = this.#l1.peek(key) ?? found?.get(key)?.value
      if (value === undefined) return undefined
      values.set(key, value)
    }
    return values
  }

  #refresh(key: string, loader: Loader<string, V>, options: LoadOptions | undefined): void {
    const plan = this.#plan(options)
    const refresh = this.#l1.getOrLoad(
      key,
      context => this.#load.one(context, loader, plan, true),
      { ...options, signal: undefined },
    )
    // As above: no caller waits.
    refresh.catch(() => {})
  }

  #plan(options: LoadOptions | undefined): LoadPlan {
    return options === undefined ? this.#defaults : planLoad(options, this.#defaults)
  }
}
