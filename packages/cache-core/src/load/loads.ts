import { type Clock, checkFunction, isError, isThenable } from '@millrace/kit'
import { EntryDetail } from '../entry/entry-detail.ts'
import type { EntryWriter } from '../entry/entry-writer.ts'
import { LoadResultError, LoadTimeoutError, NO_PROMISE } from '../errors.ts'
import type { TagStamp, TagTable } from '../invalidate/tag-table.ts'
import { type EntryState, FRESH, GONE, type Guard, STALE } from '../kernel/entry.ts'
import { ABSENT, type Kernel } from '../kernel/kernel.ts'
import type { Observer } from '../kernel/observer.ts'
import type { BatchItem } from './batch-loader.ts'
import { Deadlines } from './deadlines.ts'
import { Flight } from './flight.ts'
import { Flights } from './flights.ts'
import { type LoadOptions, type LoadPlan, planLoad } from './load-options.ts'
import { LoadRun, type RunListener } from './load-run.ts'
import { type LoadState, NOTHING } from './load-state.ts'
import { Loaded } from './loaded.ts'
import type { Loader } from './loader.ts'
import { wait } from './wait.ts'

/** How a flight begins. */
export interface Departure<V> {
  readonly plan: LoadPlan
  readonly state: LoadState<V>
  /** Whether it is part of a `getOrLoadMany`. */
  readonly batched: boolean
  /** Whether a caller waits for it. */
  readonly awaited: boolean
}

/** What loading and invalidation say about a key; each only where it says something. */
export interface ExplainedLoad {
  /** A value is being loaded. */
  readonly loading?: true
  /** Loads failed lately: ms until the next attempt, where a stale value is at hand. */
  readonly retryIn?: number
  /** The tag that was expired or deleted since the entry was stored. */
  readonly tag?: string
}

/** What {@link Loads} work on. */
export interface LoadsOptions<K, V> {
  readonly kernel: Kernel<K, V>
  readonly tags: TagTable
  readonly clock: Clock
  readonly writer: EntryWriter<K, V>
  readonly defaults: LoadPlan
  /** `false`: results are neither shared nor kept. */
  readonly enabled: boolean
  /** Told of values that were not kept. */
  readonly observer: Observer<K> | null
}

/**
 * Loads in progress and the rules under which their results are kept.
 *
 * Flights live here, outside the bounded store, so that eviction never ends one. A flight whose key is
 * invalidated is fenced: its callers still get its result, which is not stored, and later callers start
 * a new one. A tag may turn out to concern a flight only when its result names it; then
 * the epoch of the tag table, noted when the load began, decides.
 */
export class Loads<K, V> implements RunListener<K, V> {
  declare readonly defaults: LoadPlan
  declare readonly kernel: Kernel<K, V>
  declare readonly tags: TagTable
  declare readonly clock: Clock
  declare readonly deadlines: Deadlines
  readonly #writer: EntryWriter<K, V>
  readonly #enabled: boolean
  readonly #observer: Observer<K> | null
  readonly #flights = new Flights<K, V>()

  loads = 0
  failures = 0
  /** ms spent in loads that succeeded or failed. */
  time = 0
  /** Expired values served. */
  staleServed = 0
  /** Results not stored because their key was invalidated or set meanwhile. */
  discarded = 0

  constructor(options: LoadsOptions<K, V>) {
    this.kernel = options.kernel
    this.tags = options.tags
    this.clock = options.clock
    this.deadlines = new Deadlines(options.clock, timeout => new LoadTimeoutError(timeout))
    this.#writer = options.writer
    this.defaults = options.defaults
    this.#enabled = options.enabled
    this.#observer = options.observer
  }

  /** Sets all counters to 0. */
  resetStats(): void {
    this.loads = this.failures = this.time = this.staleServed = this.discarded = 0
  }

  /** Number of keys being loaded. */
  get inFlight(): number {
    return this.#flights.size
  }

  /** What loading and invalidation can say about `key`. */
  explain(key: K): ExplainedLoad {
    const { kernel } = this
    const slot = kernel.locate(key)
    const loading = this.joinable(key) === undefined ? {} : { loading: true as const }
    if (slot === ABSENT) return loading
    const retryIn =
      ((kernel.details?.[slot] as EntryDetail | undefined)?.retryAt ?? 0) - this.clock.now()
    const tag = (kernel.guards?.[slot] as TagStamp | undefined)?.invalidatedBy
    return { ...loading, ...(retryIn > 0 && { retryIn }), ...(tag !== undefined && { tag }) }
  }

  plan(options: LoadOptions | undefined): LoadPlan {
    return options === undefined ? this.defaults : planLoad(options, this.defaults)
  }

  /** The rest of `getOrLoad` when the value is not simply there. Throws where the load ends at once in a failure. */
  load(key: K, loader: Loader<K, V>, plan: LoadPlan): V | Promise<V> {
    checkFunction('loader', loader)
    const state = this.stateOf(key, plan)
    const flight = this.joinable(key)
    if (state.served !== undefined) {
      if (state.refresh && flight === undefined) {
        this.#begin(key, loader, { plan, state, batched: false, awaited: false })
      }
      return state.served
    }
    plan.signal?.throwIfAborted()
    if (flight !== undefined) {
      return this.join(flight, plan, state, () => this.load(key, loader, plan))
    }
    const begun = this.#begin(key, loader, { plan, state, batched: false, awaited: true })
    return this.answer(begun, plan, state)
  }

  /** What is known about `key` now. */
  stateOf(key: K, plan: LoadPlan): LoadState<V> {
    const { kernel } = this
    const slot = kernel.locate(key)
    const state = slot === ABSENT ? GONE : kernel.state(slot)
    if (state === GONE) return NOTHING as LoadState<V>
    const value = kernel.values[slot] as V
    const detail = kernel.details?.[slot] as EntryDetail | undefined
    const stamp = kernel.guards?.[slot] as TagStamp | undefined
    const now = this.clock.now()
    const patient = now < (detail?.retryAt ?? -Infinity)
    let served: V | undefined
    let fallback: (() => V | undefined) | undefined
    let refresh: boolean
    if (state === FRESH) {
      served = value
      refresh = now >= (detail?.refreshAt ?? Infinity)
    } else {
      const age = now - staleSince(kernel.expiresAt(slot), stamp)
      refresh = age < plan.staleWhileRevalidate
      if (age < plan.staleIfError) fallback = () => this.#fallBack(value, stamp)
      if (refresh || (patient && fallback !== undefined)) {
        served = value
        this.staleServed++
      }
    }
    return { served, stale: value, fallback, refresh: refresh && !patient }
  }

  /** The flight of `key` that a caller may join now, if there is one. */
  joinable(key: K): Flight<K, V> | undefined {
    const flight = this.#flights.get(key)
    // A loader that asks for its own key before it returned would wait for itself.
    if (flight === undefined || flight.run?.calling) return undefined
    if (this.tags.invalidatedSince(flight.epoch, flight.tags)) {
      // Expired at least. Whether the stale value may be served instead depends on the tags that value has.
      this.fence(key, STALE)
      return undefined
    }
    return flight
  }

  /** The result of a flight for a caller that began it. */
  answer(flight: Flight<K, V>, plan: LoadPlan, state: LoadState<V>): V | Promise<V> {
    if (flight.settled) {
      if (!flight.failed) return flight.value as V
      const fallback = state.fallback?.()
      if (fallback !== undefined) return fallback
      throw flight.error
    }
    const fallback =
      state.fallback && (() => (flight.fence === GONE ? undefined : state.fallback!()))
    if (plan.signal !== undefined || fallback !== undefined) {
      const { signal, softTimeout } = plan
      return wait(flight, { signal, softTimeout, fallback, clock: this.clock })
    }
    flight.hold()
    return flight.promise
  }

  /**
   * The result of a flight for a caller that joined it. Its result does not serve a caller who came
   * after the invalidation of a tag it turns out to have, nor one whose key a batch loader left out.
   */
  join(
    flight: Flight<K, V>,
    plan: LoadPlan,
    state: LoadState<V>,
    again: () => V | Promise<V>,
  ): V | Promise<V> {
    const answer = this.answer(flight, plan, state)
    const untouched = flight.epoch === this.tags.epoch
    if ((untouched && !flight.batched) || flight.settled) return answer
    return (answer as Promise<V>).then(value =>
      value === undefined || (!untouched && flight.outdated) ? again() : value,
    )
  }

  /** Registers a flight for `key`; the caller starts its run. */
  depart(key: K, { plan, state, batched, awaited }: Departure<V>): Flight<K, V> {
    const stamp = this.kernel.guards?.[this.kernel.locate(key)] as TagStamp | undefined
    const flight = new Flight<K, V>({
      key,
      stale: state.stale,
      plan,
      tags: stamp === undefined ? plan.tags : plan.tags.concat(stamp.names),
      epoch: this.tags.epoch,
      batched,
      background: !awaited,
    })
    if (this.#enabled) this.#flights.add(flight)
    else flight.fence = GONE
    return flight
  }

  /** Keeps the result of a flight unless something forbids it, and hands it to those who wait. */
  onItem(flight: Flight<K, V>, result: BatchItem<V>): void {
    try {
      this.#settle(flight, result)
    } catch (error) {
      // What is asked of a value may throw, such as a revoked proxy does: it is the failure of its key, and of no other in the batch.
      this.onFailure(flight, error)
    }
  }

  #settle(flight: Flight<K, V>, result: BatchItem<V>): void {
    if (flight.batched && isError(result)) {
      this.onFailure(flight, result)
      return
    }
    this.#flights.remove(flight)
    if (flight.batched && result === undefined) {
      // A batch loader left the key out: there is no value, and nothing to store.
      flight.succeed(undefined as V)
      return
    }
    const { plan } = flight
    const own = result instanceof Loaded ? result : undefined
    const value = own === undefined ? (result as V | undefined) : own.value
    if (value === undefined) {
      throw new LoadResultError('a value (`null` for "there is none")', undefined)
    }
    if (isThenable(value)) throw new LoadResultError(NO_PROMISE, value)
    const tags = own?.tags ?? plan.tags
    const invalidated = this.tags.invalidatedSince(flight.epoch, tags)
    // Callers who joined knew the tags of the plan to be untouched; only others can be news to them.
    flight.outdated = invalidated && tags !== plan.tags
    if (flight.fence !== FRESH || invalidated) {
      this.discarded++
      this.#observer?.refused(flight.key, 'discarded')
    } else if (own?.store !== false) {
      const negative = value === null ? plan.negativeTtl : undefined
      const ttl = own?.ttl ?? negative ?? plan.ttl ?? this.#writer.ttl
      this.#writer.write(flight.key, value, ttl, tags, plan)
    }
    flight.succeed(value)
  }

  /** Hands a failure to those who wait, and puts off the next attempt if there is a stale value to live on. */
  onFailure(flight: Flight<K, V>, error: unknown): void {
    this.#flights.remove(flight)
    this.#observer?.refused(flight.key, 'failed')
    const { kernel } = this
    const overtaken =
      flight.fence !== FRESH || this.tags.invalidatedSince(flight.epoch, flight.tags)
    const slot = overtaken || flight.abandoned ? ABSENT : kernel.locate(flight.key)
    if (slot !== ABSENT && flight.plan.errorBackoff !== 0) {
      const known = kernel.details?.[slot] as EntryDetail | undefined
      const detail = known ?? new EntryDetail(Infinity)
      kernel.setDetail(slot, detail)
      detail.putOff(this.clock.now(), flight.plan.errorBackoff)
    }
    flight.fail(error)
  }

  /** One call of a loader ended that began at `started`, ms on the clock. */
  onEnd(succeeded: boolean, started: number): void {
    if (succeeded) this.loads++
    else this.failures++
    this.time += this.clock.now() - started
  }

  /** Whether a read of the entry in `slot` must look whether to refresh it. */
  isDue(slot: number): boolean {
    const detail = this.kernel.details?.[slot] as EntryDetail | undefined
    return detail !== undefined && this.clock.now() >= detail.refreshAt
  }

  /** The value of `key` was invalidated (`GONE`), or expired or set (`STALE`). O(1). */
  fence(key: K, state: EntryState): void {
    this.#flights.fence(key, state)
  }

  /** The same for each key in flight that `matches`. O(flights). */
  fenceMatching(matches: (key: K) => boolean, state: EntryState): void {
    this.#flights.fenceMatching(matches, state)
  }

  #fallBack(value: V, guard: Guard | undefined): V | undefined {
    if (guard?.state() === GONE) return undefined
    this.staleServed++
    return value
  }

  #begin(key: K, loader: Loader<K, V>, departure: Departure<V>): Flight<K, V> {
    const flight = this.depart(key, departure)
    const run = new LoadRun<K, V, V | Loaded<V>>({
      flights: [flight],
      timeout: departure.plan.hardTimeout,
      call: () => loader(flight),
      itemsOf: onlyItem,
      listener: this,
    })
    run.start(departure.awaited)
    return flight
  }
}

function onlyItem<V>(result: V | Loaded<V>): readonly BatchItem<V>[] {
  return [result]
}

function staleSince(expires: number, stamp: TagStamp | undefined): number {
  return stamp === undefined ? expires : Math.min(expires, stamp.staleSince)
}
