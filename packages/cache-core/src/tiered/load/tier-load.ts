import { isError, isThenable } from '@millrace/kit'
import { LoadResultError, NO_PROMISE } from '../../errors.ts'
import type { BatchContext, BatchItem, BatchLoader } from '../../load/batch-loader.ts'
import type { LoadPlan } from '../../load/load-options.ts'
import { Loaded } from '../../load/loaded.ts'
import type { LoadContext, Loader } from '../../load/loader.ts'
import type { StoreEntry } from '../../store/contract/store.ts'
import { BackgroundWrites } from '../store/background-writes.ts'
import type { BoundedStore } from '../store/bounded-store.ts'
import { CacheClosedError } from '../store/tier-errors.ts'
import { checkKeys } from './check-keys.ts'
import type { EntryUses } from './entry-uses.ts'
import type { LoadLease } from './load-lease.ts'
import { ContextView, type TierAccess, TierLoadRun, type TierRequest } from './tier-load-run.ts'

/** What a {@link TierLoad} works with. */
export interface TierLoadOptions<V> {
  readonly tier: BoundedStore<V>
  readonly lease: LoadLease | undefined
  readonly uses: EntryUses<V>
  /** Told of each loaded value that the second tier did not keep, where such writes are not waited for. */
  readonly onRefused: ((key: string) => void) | undefined
  /** `false`: the second tier is neither read nor written. */
  readonly enabled: boolean
  /** Throws for a value that the first tier cannot keep. */
  readonly check: (key: string, value: V) => void
  /** Makes a value of the second tier fit to be handed to a loader. */
  readonly hand: (value: V | undefined) => V | undefined
}

/** How the first tier gets values it lacks: from the second tier, else from the loader, whose results fill both. */
export class TierLoad<V> implements TierAccess<V> {
  readonly tier: BoundedStore<V>
  readonly lease: LoadLease | undefined
  readonly uses: EntryUses<V>
  readonly writes: BackgroundWrites<V> | undefined
  readonly enabled: boolean
  readonly check: (key: string, value: V) => void
  readonly hand: (value: V | undefined) => V | undefined
  /** Keys being loaded, with how many times over. */
  readonly #loading = new Map<string, number>()
  /** Keys whose stale value was served and whose refresh has not begun. */
  readonly #due = new Set<string>()
  /** End the loads in progress. */
  readonly #ends = new Set<(reason: Error) => void>()
  hits = 0
  misses = 0
  /** Values that another process loaded while this one waited. */
  leased = 0

  constructor(options: TierLoadOptions<V>) {
    const { tier, lease, uses, onRefused, enabled, check, hand } = options
    this.tier = tier
    this.lease = enabled ? lease : undefined
    this.uses = uses
    this.writes = onRefused && new BackgroundWrites(tier, onRefused)
    this.enabled = enabled
    this.check = check
    this.hand = hand
  }

  /** Keys being loaded now, or written behind their load, for which `matches` holds. */
  loading(matches: (key: string) => boolean): string[] {
    return [...new Set([...this.#loading.keys(), ...(this.writes?.keys() ?? [])])].filter(matches)
  }

  /** Whether a stale value of `key` was served for which a refresh should now begin; true once. */
  takeDue(key: string): boolean {
    return this.#due.size !== 0 && this.#due.delete(key)
  }

  /** The fresh values of the second tier, `undefined` where it has none. */
  async find(keys: readonly string[]): Promise<(Loaded<V> | undefined)[]> {
    checkKeys(keys)
    this.writes?.flushFor(keys)
    const entries = this.enabled ? await this.tier.getMany(keys) : undefined
    return keys.map((_, index) => this.counted(this.uses.fresh(entries?.[index], 0)))
  }

  /** The fresh values of the second tier, for who only looks. Rejects if it fails. */
  async peek(keys: readonly string[]): Promise<Map<string, V>> {
    checkKeys(keys)
    this.writes?.flushFor(keys)
    const found = new Map<string, V>()
    if (!this.enabled) return found
    const entries = await this.tier.readMany(keys)
    for (const [index, entry] of entries.entries()) {
      if (this.uses.fresh(entry, 0) !== undefined) found.set(keys[index]!, entry!.value)
    }
    return found
  }

  /** For one key. With `refresh` it is loaded behind a stale value of the second tier that was served. */
  async one(
    context: LoadContext<string, V>,
    loader: Loader<string, V>,
    plan: LoadPlan,
    refresh: boolean = context.background,
  ): Promise<V | Loaded<V>> {
    const { key } = context
    let result: V | Loaded<V> | undefined
    const [item] = await this.#run({
      keys: [key],
      context: new ContextView(
        context,
        () => context.stale,
        () => refresh,
      ),
      loader: async (_keys, batch) => {
        result = await loader(new KeyContext(batch, key, refresh))
        if (result === undefined) {
          throw new LoadResultError('a value (`null` for "there is none")', undefined)
        }
        if (result instanceof Loaded && isThenable(result.value)) {
          throw new LoadResultError(NO_PROMISE, result.value)
        }
        return [result]
      },
      plan,
      lease: this.lease,
    })
    // What could not be taken; an `Error` that the loader returned is a value.
    if (item !== result && isError(item)) throw item
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
    const view = new ContextView<V>(
      context,
      key => context.stale(key),
      key => refresh || context.background(key),
    )
    return this.#run({ keys, context: view, loader, plan, lease: undefined })
  }

  /**
   * What the second tier has now for values that are late or failed: fresh ones, and stale ones that `staleIfError` allows.
   * `undefined` if it does not answer.
   */
  async fallbacks(
    keys: readonly string[],
    plan: LoadPlan,
  ): Promise<Map<string, Loaded<V>> | undefined> {
    const entries = await this.tier.getMany(keys)
    if (entries === undefined) return undefined
    const found = new Map<string, Loaded<V>>()
    for (const [index, entry] of entries.entries()) {
      const fallback = this.uses.fresh(entry, 0) ?? this.uses.fallback(entry, plan)
      if (fallback !== undefined) found.set(keys[index]!, fallback)
    }
    return found
  }

  /** The entry if it will do, counted. A refresh wants one that is not itself due for one. */
  found(
    key: string,
    entry: StoreEntry<V> | undefined,
    { context, plan }: TierRequest<V>,
  ): Loaded<V> | undefined {
    const { eagerRefresh, ttl = Infinity } = plan
    const eager = eagerRefresh !== 0 && context.background(key)
    // One that outlives the first tier's next copy is not due, however long its own ttl was.
    const margin = eager ? Math.min(this.uses.l1Ttl, ttl * (1 - eagerRefresh)) : 0
    return this.counted(this.uses.fresh(entry, margin))
  }

  /** The entry if a stale one will do, whose refresh is then due. */
  stale(
    key: string,
    entry: StoreEntry<V> | undefined,
    { context, plan }: TierRequest<V>,
  ): Loaded<V> | undefined {
    if (context.background(key)) return undefined
    const stale = this.uses.stale(entry, plan)
    // If aborted, no caller is left who would begin the refresh.
    if (stale !== undefined && !context.signal.aborted) this.#due.add(key)
    return stale
  }

  counted(found: Loaded<V> | undefined): Loaded<V> | undefined {
    if (found === undefined) this.misses++
    else this.hits++
    return found
  }

  /** Fails what is being loaded, so that no caller waits on. */
  close(): void {
    for (const end of this.#ends) end(new CacheClosedError())
  }

  async #run(request: TierRequest<V>): Promise<BatchItem<V>[]> {
    const { keys } = request
    checkKeys(keys)
    for (const key of keys) this.#loading.set(key, (this.#loading.get(key) ?? 0) + 1)
    const { promise, resolve, reject } = Promise.withResolvers<BatchItem<V>[]>()
    this.#ends.add(reject)
    new TierLoadRun(this, request).run().then(resolve, reject)
    try {
      return await promise
    } finally {
      this.#ends.delete(reject)
      for (const key of keys) {
        const count = this.#loading.get(key)! - 1
        if (count === 0) this.#loading.delete(key)
        else this.#loading.set(key, count)
      }
    }
  }
}

/** The context of one key's loader, seen through that of a batch. */
class KeyContext<V> implements LoadContext<string, V> {
  readonly #batch: BatchContext<string, V>
  readonly key: string
  readonly background: boolean

  constructor(batch: BatchContext<string, V>, key: string, background: boolean) {
    this.#batch = batch
    this.key = key
    this.background = background
  }

  get stale(): V | undefined {
    return this.#batch.stale(this.key)
  }

  get signal(): AbortSignal {
    return this.#batch.signal
  }
}
