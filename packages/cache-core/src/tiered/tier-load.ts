import { LoadResultError } from '../errors.ts'
import {
  type BatchContext,
  type BatchItem,
  type BatchLoader,
  itemsOf,
} from '../load/batch-loader.ts'
import type { LoadPlan } from '../load/load-options.ts'
import { type Loaded, loaded } from '../load/loaded.ts'
import type { LoadContext, Loader } from '../load/loader.ts'
import type { StoreEntry, StoreItem } from '../store/contract/store.ts'
import type { EntryUses } from './entry-uses.ts'
import type { LeaseHold, LoadLease } from './load-lease.ts'
import type { SecondTier } from './second-tier.ts'
import { toWrite } from './tier-write.ts'

/** How the first tier gets values it lacks: from the second tier, else from the loader, whose results fill both. */
export class TierLoad<V> {
  readonly #tier: SecondTier<V>
  readonly #lease: LoadLease | undefined
  readonly #uses: EntryUses<V>
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
    uses: EntryUses<V>,
    enabled: boolean,
  ) {
    this.#tier = tier
    this.#lease = enabled ? lease : undefined
    this.#uses = uses
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
    return entries.map(entry => {
      const found = this.#uses.fresh(entry, 0)
      if (found === undefined) this.misses++
      else this.hits++
      return found
    })
  }

  /** For one key. With `refresh` it is loaded behind a stale value of the second tier that was served. */
  async one(
    context: LoadContext<string, V>,
    loader: Loader<string, V>,
    plan: LoadPlan,
    refresh: boolean = context.background,
  ): Promise<V | Loaded<V>> {
    const { key } = context
    const batch: BatchContext<string, V> = {
      stale: () => context.stale,
      background: () => refresh,
      get signal() {
        return context.signal
      },
    }
    const call: BatchLoader<string, V> = async (_keys, { stale }) => {
      const result = await loader({
        key,
        stale: stale(key),
        background: refresh,
        get signal() {
          return context.signal
        },
      })
      if (result !== undefined) return [result]
      throw new LoadResultError('a value (`null` for "there is none")', undefined)
    }
    const [item] = await this.#load([key], batch, call, plan, this.#lease)
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
    const batch: BatchContext<string, V> = {
      stale: key => context.stale(key),
      background: key => refresh || context.background(key),
      get signal() {
        return context.signal
      },
    }
    return this.#load(keys, batch, loader, plan, undefined)
  }

  /**
   * What the second tier has now to stand in for values that are late or failed: fresh ones, and stale ones that
   * `staleIfError` allows. `undefined` if it does not answer.
   */
  async standIns(
    keys: readonly string[],
    plan: LoadPlan,
  ): Promise<Map<string, Loaded<V>> | undefined> {
    const entries = await this.#tier.tryMany(keys)
    if (entries === undefined) return undefined
    const found = new Map<string, Loaded<V>>()
    for (const [index, entry] of entries.entries()) {
      const standIn = this.#uses.fresh(entry, 0) ?? this.#uses.standIn(entry, plan)
      if (standIn !== undefined) found.set(keys[index]!, standIn)
    }
    return found
  }

  async #load(
    keys: readonly string[],
    context: BatchContext<string, V>,
    loader: BatchLoader<string, V>,
    plan: LoadPlan,
    lease: LoadLease | undefined,
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
        const served =
          this.#found(key, entry, context, plan) ?? this.#stale(key, entry, context, plan)
        if (served !== undefined) items.set(key, served)
      }
      const missing = keys.filter(key => !items.has(key))
      if (missing.length !== 0) {
        const load = () => this.#loadMissing(missing, entries, context, loader, plan, items)
        if (lease === undefined) await load()
        else await this.#inTurn(lease, missing[0]!, context, plan, items, load)
      }
      return keys.map(key => items.get(key))
    } finally {
      this.#unregister(keys)
    }
  }

  /** Calls `load` as the only process, or takes what another one stored meanwhile. */
  async #inTurn(
    lease: LoadLease,
    key: string,
    context: BatchContext<string, V>,
    plan: LoadPlan,
    items: Map<string, BatchItem<V>>,
    load: () => Promise<void>,
  ): Promise<void> {
    const { signal } = context
    let hold: LeaseHold | undefined
    try {
      hold = await lease.acquire(key, { signal })
    } catch {
      // A lease is never needed: whoever cannot get one loads, as without.
      signal.throwIfAborted()
      await load()
      return
    }
    if (hold === undefined) {
      const [entry] = await this.#tier.getMany([key])
      const found = this.#found(key, entry, context, plan)
      if (found !== undefined) {
        this.leased++
        items.set(key, found)
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
    context: BatchContext<string, V>,
    loader: BatchLoader<string, V>,
    plan: LoadPlan,
    items: Map<string, BatchItem<V>>,
  ): Promise<void> {
    // Before the loader looks at the source: what is invalidated from now on refuses its result.
    const fence = this.#enabled ? await this.#tier.fence() : undefined
    const writes: StoreItem<V>[] = []
    const failures = new Map<string, Error>()
    try {
      const results = itemsOf(
        await loader(missing, {
          stale: key => entries.get(key)?.value ?? context.stale(key),
          background: key => context.background(key),
          get signal() {
            return context.signal
          },
        }),
        missing,
      )
      for (const [index, key] of missing.entries()) {
        const item = results[index]
        if (item instanceof Error) {
          failures.set(key, item)
        } else if (item !== undefined) {
          const write = toWrite(key, item, plan)
          const { value, ttl, tags, store } = write
          items.set(key, loaded(value, { ttl: Math.min(this.#uses.l1Ttl, ttl), tags, store }))
          if (store && value !== undefined && fence !== undefined) writes.push({ ...write, fence })
        }
      }
    } catch (error) {
      const failure =
        error instanceof Error ? error : new Error('The load failed', { cause: error })
      for (const key of missing) failures.set(key, failure)
      // As it is, if nothing stands in for any of them.
      if (!(await this.#standIn(failures, entries, context, plan, items))) throw error
      return
    }
    await this.#standIn(failures, entries, context, plan, items)
    if (writes.length === 0) return
    const stored = await this.#tier.setMany(writes)
    for (const [index, { key, value, tags }] of writes.entries()) {
      // With its tags: by them the first tier knows whom the value, as it was invalidated, does not serve.
      if (!stored[index]) items.set(key, loaded(value, { tags, store: false }))
    }
  }

  /**
   * Fills in what failed: stale values of the second tier, read anew as they may have been deleted meanwhile, else the
   * failures. A failed refresh is left to the first tier, which holds the value that it was for. Whether any was found.
   */
  async #standIn(
    failures: ReadonlyMap<string, Error>,
    entries: ReadonlyMap<string, StoreEntry<V>>,
    context: BatchContext<string, V>,
    plan: LoadPlan,
    items: Map<string, BatchItem<V>>,
  ): Promise<boolean> {
    const known = new Map<string, Loaded<V>>()
    for (const key of failures.keys()) {
      const standIn = context.background(key)
        ? undefined
        : this.#uses.standIn(entries.get(key), plan)
      if (standIn !== undefined) known.set(key, standIn)
    }
    const found = known.size === 0 ? known : await this.standIns([...known.keys()], plan)
    for (const [key, failure] of failures) items.set(key, (found ?? known).get(key) ?? failure)
    return (found ?? known).size !== 0
  }

  /** The entry if it will do, counted. A refresh wants one that is not itself due for one. */
  #found(
    key: string,
    entry: StoreEntry<V> | undefined,
    context: BatchContext<string, V>,
    plan: LoadPlan,
  ): Loaded<V> | undefined {
    const { eagerRefresh, ttl = Infinity } = plan
    const eager = eagerRefresh !== 0 && context.background(key)
    // One that outlives the first tier's next copy is not due, however long its own ttl was.
    const found = this.#uses.fresh(
      entry,
      eager ? Math.min(this.#uses.l1Ttl, ttl * (1 - eagerRefresh)) : 0,
    )
    if (found === undefined) this.misses++
    else this.hits++
    return found
  }

  /** The entry if a stale one will do, whose refresh is then due. */
  #stale(
    key: string,
    entry: StoreEntry<V> | undefined,
    context: BatchContext<string, V>,
    plan: LoadPlan,
  ): Loaded<V> | undefined {
    if (context.background(key)) return undefined
    const stale = this.#uses.stale(entry, plan)
    // If aborted, nobody is left who would begin the refresh.
    if (stale !== undefined && !context.signal.aborted) this.#due.add(key)
    return stale
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
