import type { TimeSource } from '../clock.ts'
import { LoadResultError } from '../errors.ts'
import { type BatchItem, itemsOf } from '../load/batch-items.ts'
import type { LoadContext } from '../load/flight.ts'
import type { BatchContext, BatchLoader, BatchResult } from '../load/load-many.ts'
import type { LoadPlan } from '../load/load-options.ts'
import { Loaded, loaded } from '../load/loaded.ts'
import type { Loader } from '../load/loads.ts'
import type { StoreEntry, StoreItem } from '../store/store.ts'
import type { LeaseHold, LoadLease } from './load-lease.ts'
import type { SecondTier } from './second-tier.ts'

/** Calls the loader, whichever kind, for keys that neither tier has fresh. */
type CallLoader<V> = (
  keys: readonly string[],
  stale: (key: string) => V | undefined,
) => BatchResult<string, V> | PromiseLike<BatchResult<string, V>>

/** How the first tier gets values it lacks: from the second tier, else from the loader, whose results fill both. */
export class TierLoad<V> {
  /** ms for which the first tier keeps a value at most. */
  readonly l1Ttl: number
  readonly #tier: SecondTier<V>
  readonly #lease: LoadLease | undefined
  readonly #clock: TimeSource
  readonly #enabled: boolean
  /** Keys being loaded, with how many times over. */
  readonly #loading = new Map<string, number>()
  /** Keys whose stale value was served and which nobody refreshes yet. */
  readonly #due = new Set<string>()
  hits = 0
  misses = 0
  /** Values that another process loaded while this one waited. */
  leased = 0

  constructor(
    tier: SecondTier<V>,
    lease: LoadLease | undefined,
    clock: TimeSource,
    l1Ttl: number,
    enabled: boolean,
  ) {
    this.#tier = tier
    this.#lease = enabled ? lease : undefined
    this.#clock = clock
    this.l1Ttl = l1Ttl
    this.#enabled = enabled
  }

  /** Keys being loaded now for which `matches` holds. */
  loading(matches: (key: string) => boolean): string[] {
    return [...this.#loading.keys()].filter(matches)
  }

  /** Whether a stale value of `key` was served for which a refresh should now begin; true once. */
  takeDue(key: string): boolean {
    return this.#due.size !== 0 && this.#due.delete(key)
  }

  /** The fresh values of the second tier, `undefined` where it has none. */
  async find(keys: readonly string[]): Promise<(Loaded<V> | undefined)[]> {
    const entries = this.#enabled ? await this.#tier.getMany(keys) : keys.map(() => undefined)
    return entries.map(entry => this.#fresh(entry))
  }

  /** For one key. With `refresh` a stale value does not do. */
  async one(
    context: LoadContext<string, V>,
    loader: Loader<string, V>,
    plan: LoadPlan,
    refresh = false,
  ): Promise<V | Loaded<V>> {
    const { key } = context
    const call: CallLoader<V> = async (_keys, stale) => {
      const result = await loader({
        key,
        stale: stale(key),
        get signal() {
          return context.signal
        },
      })
      if (result !== undefined) return [result]
      throw new LoadResultError('a value (`null` for "there is none")', undefined)
    }
    const [item] = await this.#load([key], () => context.stale, call, plan, refresh, context)
    return item as V | Loaded<V>
  }

  /** For many keys, by one read, one call of the loader and one write. */
  many(
    keys: readonly string[],
    context: BatchContext<string, V>,
    loader: BatchLoader<string, V>,
    plan: LoadPlan,
    refresh = false,
  ): Promise<BatchItem<V>[]> {
    const call: CallLoader<V> = (missing, stale) =>
      loader(missing, {
        stale,
        get signal() {
          return context.signal
        },
      })
    return this.#load(keys, key => context.stale(key), call, plan, refresh)
  }

  async #load(
    keys: readonly string[],
    heldStale: (key: string) => V | undefined,
    call: CallLoader<V>,
    plan: LoadPlan,
    refresh: boolean,
    waiter?: { readonly signal: AbortSignal },
  ): Promise<BatchItem<V>[]> {
    this.#register(keys)
    try {
      const entries = new Map<string, StoreEntry<V>>()
      if (this.#enabled) {
        const found = await this.#tier.getMany(keys)
        for (const [index, entry] of found.entries()) {
          if (entry !== undefined) entries.set(keys[index]!, entry)
        }
      }
      const items = new Map<string, BatchItem<V>>()
      for (const key of keys) {
        const entry = entries.get(key)
        const served = this.#fresh(entry) ?? (refresh ? undefined : this.#stale(key, entry, plan))
        if (served !== undefined) items.set(key, served)
      }
      const missing = keys.filter(key => !items.has(key))
      if (missing.length !== 0) {
        const load = () => this.#loadMissing(missing, entries, heldStale, call, plan, items)
        if (this.#lease === undefined || waiter === undefined) await load()
        else await this.#inTurn(missing[0]!, waiter.signal, items, load)
      }
      return keys.map(key => items.get(key))
    } finally {
      this.#unregister(keys)
    }
  }

  /** Calls `load` as the only process, or takes what another one stored meanwhile. */
  async #inTurn(
    key: string,
    signal: AbortSignal,
    items: Map<string, BatchItem<V>>,
    load: () => Promise<void>,
  ): Promise<void> {
    let hold: LeaseHold | undefined
    try {
      hold = await this.#lease!.acquire(key, { signal })
    } catch {
      // A lease is never needed: whoever cannot get one loads, as without.
      signal.throwIfAborted()
      await load()
      return
    }
    if (hold === undefined) {
      const [entry] = await this.#tier.getMany([key])
      const fresh = this.#fresh(entry)
      if (fresh !== undefined) {
        this.leased++
        items.set(key, fresh)
        return
      }
      // The other one failed, or may not be kept: to wait in turn would be a convoy.
    }
    try {
      await load()
    } finally {
      await hold?.release()
    }
  }

  async #loadMissing(
    missing: readonly string[],
    entries: ReadonlyMap<string, StoreEntry<V>>,
    heldStale: (key: string) => V | undefined,
    call: CallLoader<V>,
    plan: LoadPlan,
    items: Map<string, BatchItem<V>>,
  ): Promise<void> {
    // Before the loader looks at the source: what is invalidated from now on refuses its result.
    const fence = this.#enabled ? await this.#tier.fence() : undefined
    let results: readonly BatchItem<V>[]
    try {
      const stale = (key: string): V | undefined => entries.get(key)?.value ?? heldStale(key)
      results = itemsOf(await call(missing, stale), missing)
    } catch (error) {
      const fallbacks = missing.map(key => this.#fallback(entries.get(key), plan))
      if (fallbacks.every(fallback => fallback === undefined)) throw error
      const failure =
        error instanceof Error ? error : new Error('The load failed', { cause: error })
      results = fallbacks.map(fallback => fallback ?? failure)
      for (const [index, key] of missing.entries()) items.set(key, results[index])
      return
    }
    const writes: StoreItem<V>[] = []
    for (const [index, key] of missing.entries()) {
      const item = results[index]
      if (item instanceof Error) {
        items.set(key, this.#fallback(entries.get(key), plan) ?? item)
      } else if (item !== undefined) {
        const write = toItem(key, item, plan)
        const { value, ttl, tags, store } = write
        items.set(key, loaded(value, { ttl: Math.min(this.l1Ttl, ttl), tags, store }))
        if (store && value !== undefined && fence !== undefined) writes.push({ ...write, fence })
      }
    }
    if (writes.length === 0) return
    const stored = await this.#tier.setMany(writes)
    for (const [index, { key, value, tags }] of writes.entries()) {
      // With its tags: by them the first tier knows whom the value, as it was invalidated, does not serve.
      if (!stored[index]) items.set(key, loaded(value, { tags, store: false }))
    }
  }

  #fresh(entry: StoreEntry<V> | undefined): Loaded<V> | undefined {
    const left = entry === undefined ? 0 : entry.expires - this.#clock.now()
    if (!(left > 0)) {
      this.misses++
      return undefined
    }
    this.hits++
    return loaded(entry!.value, { ttl: Math.min(this.l1Ttl, left), tags: entry!.tags })
  }

  /** Served but not kept: the first tier would take it for fresh. */
  #stale(key: string, entry: StoreEntry<V> | undefined, plan: LoadPlan): Loaded<V> | undefined {
    if (entry === undefined || !(this.#age(entry) < plan.staleWhileRevalidate)) return undefined
    this.#due.add(key)
    return loaded(entry.value, { store: false })
  }

  /** Kept for a while, so that a source in trouble is left alone; unless somebody said it is stale. */
  #fallback(entry: StoreEntry<V> | undefined, plan: LoadPlan): Loaded<V> | undefined {
    if (entry === undefined || !(this.#age(entry) < plan.staleIfError)) return undefined
    const { value, tags } = entry
    if (entry.expires === 0 || plan.errorBackoff === 0) return loaded(value, { store: false })
    return loaded(value, { ttl: Math.min(this.l1Ttl, plan.errorBackoff), tags })
  }

  /** ms since the entry became stale; after an `expire`, which leaves no time, as long as it is retained. */
  #age({ expires }: StoreEntry<V>): number {
    return expires === 0 ? 0 : this.#clock.now() - expires
  }

  #register(keys: readonly string[]): void {
    for (const key of keys) this.#loading.set(key, (this.#loading.get(key) ?? 0) + 1)
  }

  #unregister(keys: readonly string[]): void {
    for (const key of keys) {
      const count = this.#loading.get(key)! - 1
      if (count === 0) this.#loading.delete(key)
      else this.#loading.set(key, count)
    }
  }
}

interface Write<V> {
  readonly key: string
  readonly value: V
  readonly ttl: number
  readonly retention: number
  readonly tags: readonly string[]
  readonly store: boolean
}

/** What the loader's result and the call's options come to. */
function toItem<V>(key: string, item: V | Loaded<V>, plan: LoadPlan): Write<V> {
  const own = item instanceof Loaded ? item : undefined
  const value = own === undefined ? (item as V) : own.value
  const ttl = own?.ttl ?? (value === null ? plan.negativeTtl : undefined) ?? plan.ttl ?? Infinity
  const retention = Math.max(plan.staleWhileRevalidate, plan.staleIfError)
  return { key, value, ttl, retention, tags: own?.tags ?? plan.tags, store: own?.store ?? true }
}
