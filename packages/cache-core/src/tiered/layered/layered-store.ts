import {
  CircuitBreaker,
  checkClock,
  checkMethods,
  checkOptions,
  checkPositive,
  checkPositiveOrInfinity,
  describeStats,
  InvalidOptionError,
  monotonicClock,
} from '@millrace/kit'
import {
  checkCallOptions,
  checkClearOptions,
  checkItems,
  checkKey,
  checkKeys,
  checkKeysOptions,
  checkSetOptions,
  checkTag,
} from '../../store/contract/call-options.ts'
import { StoreClosedError } from '../../store/contract/errors.ts'
import type {
  Fence,
  Store,
  StoreCallOptions,
  StoreClearOptions,
  StoreEntry,
  StoreItem,
  StoreKeysOptions,
  StoreLookup,
  StoreSetOptions,
} from '../../store/contract/store.ts'
import { StoreCounters } from '../../store/store-counters.ts'
import { tellListener } from '../../tell-listener.ts'
import type { Invalidation } from '../bus/invalidation-bus.ts'
import { subscribe } from '../bus/subscribe.ts'
import { Recovery } from '../recovery/recovery.ts'
import { RecoveryQueue } from '../recovery/recovery-queue.ts'
import { applyToStore } from '../store/apply-to-store.ts'
import { BoundedStore, codeOf, countOf } from '../store/bounded-store.ts'
import { tierBreaker } from '../store/tier-breaker.ts'
import { deletesOf, type LayeredChange, LayeredChanges } from './layered-changes.ts'
import {
  LAYERED_OPTIONS,
  LAYERED_STATS_KINDS,
  type LayeredStoreOptions,
  type LayeredStoreStats,
  layeredStatsKinds,
  STORE_METHODS,
} from './layered-options.ts'
import { readLayered } from './layered-reads.ts'
import { farItem, isForFar, joined, type Layers, writeLoaded } from './layered-writes.ts'
import { NearNews } from './near-news.ts'

/**
 * Two stores as one, for a `TieredCache` of three tiers: memory, a file of this machine, and what all machines share.
 *
 * - A read asks `near`, then `far` for what is missing or stale there, and keeps that in `near`. One of the two that is down costs
 *   misses, not failures.
 * - What a load stores goes to both, under a fence of each: what was invalidated meanwhile is kept by neither. A plain `set` goes to
 *   `far`, and leaves `near`.
 * - An invalidation goes to `far`, then to `near`, and rejects if `far` fails; `TieredCache` repeats it. `near` is a cache of `far`: where
 *   it fails, a write or an invalidation is done all the same, and `near` is read as if it knew until it has been told.
 */
export class LayeredStore<V = unknown> implements Store<V> {
  readonly #near: BoundedStore<V>
  readonly #far: BoundedStore<V>
  readonly #nearTtl: number
  readonly #missed = new RecoveryQueue()
  readonly #news: NearNews<V>
  /** Keys of writes that reached `far` after they had been given up, perhaps behind later ones. */
  readonly #late: Recovery
  readonly #changes: LayeredChanges<V>
  readonly #unsubscribe: (() => void) | undefined
  readonly #counters = new StoreCounters()
  #closing: Promise<void> | undefined

  /** @throws {InvalidOptionError} */
  constructor(options: LayeredStoreOptions<V>) {
    const {
      near,
      far,
      bus,
      nearTtl = Infinity,
      nearTimeout = 250,
      farTimeout = 1_000,
      clock = monotonicClock,
    } = checkOptions<LayeredStoreOptions<V>>('', options, LAYERED_OPTIONS)
    const breaker = tierBreaker('breaker', options.breaker)
    checkMethods('near', near, 'a Store', STORE_METHODS)
    checkMethods('far', far, 'a Store', STORE_METHODS)
    if (near === far) throw new InvalidOptionError('near', 'another store than `far`', near)
    checkClock('clock', clock)
    if (bus !== undefined) checkMethods('bus', bus, 'an InvalidationBus', ['publish', 'subscribe'])
    describeStats<LayeredStoreStats>(this, layeredStatsKinds(near, far))
    this.#nearTtl = checkPositiveOrInfinity('nearTtl', nearTtl)
    const bounded = (store: Store<V>, timeout: number, missed: RecoveryQueue): BoundedStore<V> =>
      new BoundedStore({
        store,
        clock,
        timeout,
        breaker: new CircuitBreaker(clock, breaker),
        missed,
        closed: () => new StoreClosedError(),
      })
    const late = new RecoveryQueue()
    this.#near = bounded(near, checkPositive('nearTimeout', nearTimeout), this.#missed)
    this.#far = bounded(far, checkPositive('farTimeout', farTimeout), late)
    const interval = breaker.cooldown
    this.#news = new NearNews({ near: this.#near, missed: this.#missed, clock, interval })
    this.#late = new Recovery({
      clock,
      queue: late,
      interval,
      repeat: async each => {
        await applyToStore(this.#far, each)
        this.#news.hear([each])
        await bus?.publish([each])
      },
    })
    this.#changes = new LayeredChanges(this.#far, this.#news, this.#late)
    this.#unsubscribe = subscribe(bus, {
      onInvalidations: invalidations => this.#news.hear(invalidations),
      onGap: () => this.#news.hear([{ verb: 'delete', target: 'all', name: '' }]),
    })
  }

  async fence(options?: StoreCallOptions): Promise<Fence> {
    this.#begin(options)
    const [near, far] = await Promise.allSettled([
      this.#near.call(store => store.fence()),
      this.#far.call(store => store.fence()),
    ])
    if (near.status === 'rejected' && far.status === 'rejected') throw far.reason
    return joined(fulfilled(near), fulfilled(far))
  }

  async get(key: string, options?: StoreCallOptions): Promise<StoreEntry<V> | undefined> {
    return (await this.getMany([key], options))[0]
  }

  async getMany(
    keys: readonly string[],
    options?: StoreCallOptions,
  ): Promise<(StoreEntry<V> | undefined)[]> {
    return (await this.lookup(keys, options)).entries as (StoreEntry<V> | undefined)[]
  }

  async lookup(keys: readonly string[], options?: StoreCallOptions): Promise<StoreLookup<V>> {
    this.#begin(options)
    const found = await readLayered(this.#layers(), checkKeys(keys))
    for (const entry of found.entries) this.#counters[entry === undefined ? 'misses' : 'hits']++
    return found
  }

  async set(key: string, value: V, input?: StoreSetOptions & StoreCallOptions): Promise<boolean> {
    const { signal, ...options } = checkSetOptions(input)
    this.#enter(signal)
    checkKey(key)
    if (options.fence !== undefined)
      return (await this.#setLoaded([{ ...options, key, value }]))[0]!
    const write: LayeredChange<V, boolean[], boolean> = {
      first: async store => [await store.set(key, value, options)],
      second: store => store.delete(key),
      news: deletesOf([key]),
      written: true,
    }
    const [stored] = await this.#changes.apply(write).catch(error => {
      if (isUnencodable(error)) this.#counters.refused++
      throw error
    })
    return this.#counted(stored)[0]!
  }

  async setMany(items: readonly StoreItem<V>[], options?: StoreCallOptions): Promise<boolean[]> {
    this.#begin(options)
    const all = checkItems(items)
    if (all.every(({ fence }) => fence !== undefined)) return this.#setLoaded(all)
    const chosen = all.filter(isForFar)
    const keys = all.map(({ key }) => key)
    const [stored] = await this.#changes.apply({
      first: store => store.setMany(chosen.map(farItem)),
      second: store => store.deleteMany(keys),
      news: deletesOf(keys),
      written: true,
    })
    let next = 0
    return this.#counted(all.map(item => isForFar(item) && stored[next++]!))
  }

  async delete(key: string, options?: StoreCallOptions): Promise<boolean> {
    return (await this.deleteMany([key], options)) === 1
  }

  async deleteMany(keys: readonly string[], options?: StoreCallOptions): Promise<number> {
    this.#begin(options)
    const names = checkKeys(keys)
    return this.#countedDeletes(
      await this.#both(deletesOf(names), store => store.deleteMany(names)),
    )
  }

  async expire(key: string, options?: StoreCallOptions): Promise<boolean> {
    return (await this.expireMany([key], options)) === 1
  }

  async expireMany(keys: readonly string[], options?: StoreCallOptions): Promise<number> {
    this.#begin(options)
    const names = checkKeys(keys)
    const news = names.map((name): Invalidation => ({ verb: 'expire', target: 'key', name }))
    return this.#countedDeletes(await this.#both(news, store => store.expireMany(names)))
  }

  async deleteTag(tag: string, options?: StoreCallOptions): Promise<void> {
    this.#begin(options)
    checkTag(tag)
    await this.#both([{ verb: 'delete', target: 'tag', name: tag }], store => store.deleteTag(tag))
  }

  async expireTag(tag: string, options?: StoreCallOptions): Promise<void> {
    this.#begin(options)
    checkTag(tag)
    await this.#both([{ verb: 'expire', target: 'tag', name: tag }], store => store.expireTag(tag))
  }

  async clear(options?: StoreClearOptions): Promise<void> {
    const { expire, signal } = checkClearOptions(options)
    this.#enter(signal)
    const verb = expire ? 'expire' : 'delete'
    await this.#both([{ verb, target: 'all', name: '' }], store => store.clear({ expire }))
  }

  /**
   * Those of `far`, then those that `near` alone has, which who lists keys to delete them must not miss. Memory: the keys of `near`. Rejects
   * if `far` fails. A `near` that cannot be listed is emptied before it is read again.
   */
  async *keys(options?: StoreKeysOptions): AsyncGenerator<string, void> {
    const { prefix = '', signal } = checkKeysOptions(options)
    const enter = (): void => this.#enter(signal)
    enter()
    const alone = await this.#news.keys(prefix, enter)
    for await (const page of this.#far.pages(prefix, 1, enter)) {
      for (const key of page) {
        alone.delete(key)
        yield key
      }
    }
    for (const key of alone) {
      enter()
      yield key
    }
  }

  stats(): LayeredStoreStats {
    const [near, far] = [this.#near.store.stats(), this.#far.store.stats()]
    return {
      ...this.#counters.snapshot(),
      evictions: near.evictions + far.evictions,
      corrupt: near.corrupt + far.corrupt,
      near,
      far,
      nearFailures: this.#near.failures,
      farFailures: this.#far.failures,
      pending: this.#missed.size + this.#late.pending,
    }
  }

  /** Leaves the bus, when changes under way have ended and after one more attempt to tell `near` what it does not know. The two stores stay open. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    tellListener('unsubscribe', () => this.#unsubscribe?.())
    // Else what they outdate would stay in `near`, which may outlive the process.
    await this.#changes.settled()
    await this.#late.close(this.#far.timeout)
    await this.#news.close()
    await Promise.all([this.#near.close(), this.#far.close()])
  }

  #begin(options: StoreCallOptions | undefined): void {
    this.#enter(checkCallOptions(options).signal)
  }

  /** @throws {StoreClosedError} or the signal's reason */
  #enter(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted()
    if (this.#closing !== undefined) throw new StoreClosedError()
  }

  #both<T>(
    news: readonly Invalidation[],
    act: (store: Store<V>) => Promise<T>,
  ): Promise<[far: T, near: T | undefined]> {
    return this.#changes.apply({ first: act, second: act, news })
  }

  /** How many of the keys one of the two had. */
  #countedDeletes([far, near]: readonly [far: number, near: number | undefined]): number {
    const found = Math.max(countOf(far), countOf(near))
    this.#counters.deletes += found
    return found
  }

  async #setLoaded(items: readonly StoreItem<V>[]): Promise<boolean[]> {
    return this.#counted(await writeLoaded(this.#layers(), items))
  }

  #layers(): Layers<V> {
    return {
      near: this.#near,
      far: this.#far,
      nearTtl: this.#nearTtl,
      missed: this.#missed,
    }
  }

  #counted(stored: readonly boolean[]): boolean[] {
    for (const kept of stored) this.#counters[kept ? 'writes' : 'refused']++
    return [...stored]
  }
}

function isUnencodable(error: unknown): boolean {
  return codeOf(error) === 'ERR_MILLRACE_UNENCODABLE_VALUE'
}

function fulfilled<T>(result: PromiseSettledResult<T>): T | undefined {
  return result.status === 'fulfilled' ? result.value : undefined
}

describeStats<LayeredStoreStats>(LayeredStore.prototype, LAYERED_STATS_KINDS)
