import { isError, isThenable } from '@millrace/kit'
import { LoadResultError, NO_PROMISE } from '../../errors.ts'
import {
  type BatchContext,
  type BatchItem,
  type BatchLoader,
  itemsOf,
} from '../../load/batch-loader.ts'
import type { LoadPlan } from '../../load/load-options.ts'
import { type Loaded, loaded } from '../../load/loaded.ts'
import type { Fence, StoreEntry, StoreItem } from '../../store/contract/store.ts'
import type { BackgroundWrites } from '../store/background-writes.ts'
import type { BoundedStore } from '../store/bounded-store.ts'
import type { EntryUses } from './entry-uses.ts'
import type { LeaseHold, LoadLease } from './load-lease.ts'
import { toWrite } from './tier-write.ts'

/** What is to be loaded, and how. */
export interface TierRequest<V> {
  readonly keys: readonly string[]
  readonly context: BatchContext<string, V>
  readonly loader: BatchLoader<string, V>
  readonly plan: LoadPlan
  readonly lease: LoadLease | undefined
}

/** A batch's context with other answers. Its signal is read only when it is asked for, as that costs an `AbortController`. */
export class ContextView<V> implements BatchContext<string, V> {
  readonly #inner: { readonly signal: AbortSignal }
  readonly stale: (key: string) => V | undefined
  readonly background: (key: string) => boolean

  constructor(
    inner: { readonly signal: AbortSignal },
    stale: (key: string) => V | undefined,
    background: (key: string) => boolean,
  ) {
    this.#inner = inner
    this.stale = stale
    this.background = background
  }

  get signal(): AbortSignal {
    return this.#inner.signal
  }
}

/** What a load asks of the tier that it is for. */
export interface TierAccess<V> {
  readonly tier: BoundedStore<V>
  readonly uses: EntryUses<V>
  /** `undefined`: who waits for a load waits for its write, too. */
  readonly writes: BackgroundWrites<V> | undefined
  readonly enabled: boolean
  /** Throws for a value that the first tier cannot keep. */
  readonly check: (key: string, value: V) => void
  /** Makes a value of the second tier fit to be handed to a loader. */
  readonly hand: (value: V | undefined) => V | undefined
  /** Values that another process loaded while this one waited. */
  leased: number
  /** The entry if it will do. */
  found(
    key: string,
    entry: StoreEntry<V> | undefined,
    request: TierRequest<V>,
  ): Loaded<V> | undefined
  /** The entry if a stale one will do. */
  stale(
    key: string,
    entry: StoreEntry<V> | undefined,
    request: TierRequest<V>,
  ): Loaded<V> | undefined
  /** What the second tier has now for values that failed. `undefined` if it does not answer. */
  fallbacks(keys: readonly string[], plan: LoadPlan): Promise<Map<string, Loaded<V>> | undefined>
}

/** One load: one read of the second tier, one call of the loader for what that lacks, and one write. */
export class TierLoadRun<V> {
  readonly #load: TierAccess<V>
  readonly #request: TierRequest<V>
  readonly #entries = new Map<string, StoreEntry<V>>()
  readonly #items = new Map<string, BatchItem<V>>()

  constructor(load: TierAccess<V>, request: TierRequest<V>) {
    this.#load = load
    this.#request = request
  }

  /** An item for each key. */
  async run(): Promise<BatchItem<V>[]> {
    const { keys, lease } = this.#request
    const fence = await this.#lookUp()
    const missing = keys.filter(key => !this.#items.has(key))
    if (missing.length !== 0) {
      if (lease === undefined) await this.#loadMissing(missing, fence)
      else await this.#inTurn(lease, missing[0]!, fence)
    }
    return keys.map(key => this.#items.get(key))
  }

  /**
   * Takes what the second tier has. Its fence is from before the loader looks at the source: what is invalidated from then on refuses the
   * loader's result. `undefined` if nothing may be written.
   */
  async #lookUp(): Promise<Fence | undefined> {
    const { keys } = this.#request
    this.#load.writes?.flushFor(keys)
    const found = this.#load.enabled ? await this.#load.tier.lookup(keys) : undefined
    for (const [index, key] of keys.entries()) {
      const entry = found?.entries[index]
      if (entry !== undefined) this.#entries.set(key, entry)
      const served =
        this.#load.found(key, entry, this.#request) ?? this.#load.stale(key, entry, this.#request)
      if (served !== undefined) this.#items.set(key, served)
    }
    return found?.fence
  }

  /** Loads as the only process, or takes what another one stored meanwhile. */
  async #inTurn(lease: LoadLease, key: string, fence: Fence | undefined): Promise<void> {
    const { signal } = this.#request.context
    let hold: LeaseHold | undefined
    let next = fence
    try {
      hold = await lease.acquire(key, { signal })
    } catch {
      // A lease is never needed: a process that cannot get one loads, as without.
      signal.throwIfAborted()
      await this.#loadMissing([key], fence)
      return
    }
    if (hold === undefined) {
      const found = await this.#load.tier.lookup([key])
      const served = this.#load.found(key, found?.entries[0], this.#request)
      if (served !== undefined) {
        this.#load.leased++
        this.#items.set(key, served)
        return
      }
      // The other one failed, or may not be kept: to wait in turn would be a convoy.
      next = found?.fence
    }
    try {
      await this.#loadMissing([key], next)
    } finally {
      // Not waited for: the value is there.
      void letGo(hold)
    }
  }

  async #loadMissing(missing: readonly string[], fence: Fence | undefined): Promise<void> {
    let results: readonly BatchItem<V>[]
    try {
      results = itemsOf(await this.#request.loader(missing, this.#contextOfLoader()), missing)
    } catch (error) {
      const failure = asError(error)
      const failures = new Map(missing.map(key => [key, failure]))
      // As it is, if there is a fallback for none of them.
      if (!(await this.#fallBack(failures))) throw error
      return
    }
    const failures = new Map<string, Error>()
    const writes: StoreItem<V>[] = []
    for (const [index, key] of missing.entries()) {
      try {
        const item = results[index]
        if (isError(item)) failures.set(key, item)
        else if (item !== undefined) this.#take(key, item, fence, writes)
      } catch (error) {
        failures.set(key, asError(error))
      }
    }
    if (failures.size !== 0) await this.#fallBack(failures)
    if (writes.length !== 0) await this.#write(writes)
  }

  #contextOfLoader(): BatchContext<string, V> {
    const { context } = this.#request
    return new ContextView<V>(
      context,
      key => this.#load.hand(this.#entries.get(key)?.value) ?? context.stale(key),
      key => context.background(key),
    )
  }

  /** Hands a loaded value to the first tier, and to the second if it may be written. */
  #take(key: string, item: V | Loaded<V>, fence: Fence | undefined, writes: StoreItem<V>[]): void {
    const { value, ttl, retention, tags, store } = toWrite(key, item, this.#request.plan)
    // The first tier refuses it, too; the second one would keep an empty object.
    if (isThenable(value)) throw new LoadResultError(NO_PROMISE, value)
    const l1Ttl = Math.min(this.#load.uses.l1Ttl, ttl)
    this.#items.set(key, loaded(value, { ttl: l1Ttl, tags, store }))
    if (!store || value === undefined || fence === undefined) return
    // Before the second tier has what its caller will be told was not stored.
    this.#load.check(key, value)
    writes.push({ key, value, ttl, retention, tags, fence })
  }

  async #write(writes: readonly StoreItem<V>[]): Promise<void> {
    // A lease is held until those who wait for it can read the value.
    if (this.#request.lease === undefined && this.#load.writes?.add(writes)) return
    const stored = await this.#load.tier.setMany(writes)
    for (const [index, { key, value, tags }] of writes.entries()) {
      // With its tags: by them the first tier knows whom the value, as it was invalidated, does not serve.
      if (!stored[index]) this.#items.set(key, loaded(value, { tags, store: false }))
    }
  }

  /**
   * Fills in what failed: stale values of the second tier, read anew as they may have been deleted meanwhile, else the
   * failures. A failed refresh is left to the first tier, which holds the value that it was for. Whether any was found.
   */
  async #fallBack(failures: ReadonlyMap<string, Error>): Promise<boolean> {
    const { context, plan } = this.#request
    const known = new Map<string, Loaded<V>>()
    for (const key of failures.keys()) {
      const fallback = context.background(key)
        ? undefined
        : this.#load.uses.fallback(this.#entries.get(key), plan)
      if (fallback !== undefined) known.set(key, fallback)
    }
    const again = known.size === 0 ? known : await this.#load.fallbacks([...known.keys()], plan)
    const found = again ?? known
    for (const [key, failure] of failures) this.#items.set(key, found.get(key) ?? failure)
    return found.size !== 0
  }
}

/** Never rejects: a lease that is not released runs out. */
async function letGo(hold: LeaseHold | undefined): Promise<void> {
  try {
    await hold?.release()
  } catch {
    // What came of the load is told, whatever becomes of the lease.
  }
}

function asError(thrown: unknown): Error {
  return isError(thrown) ? thrown : new Error('The load failed', { cause: thrown })
}
