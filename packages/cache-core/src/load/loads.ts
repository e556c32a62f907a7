import type { ExplainedLoad } from '../cache/explain.ts'
import { EntryDetail } from '../entry/entry-detail.ts'
import type { EntryWriter } from '../entry/entry-writer.ts'
import { InvalidOptionError, LoadResultError } from '../errors.ts'
import type { TagStamp, TagTable } from '../invalidate/tag-table.ts'
import {
  ABSENT,
  type EntryState,
  FRESH,
  GONE,
  type Guard,
  type Kernel,
  STALE,
} from '../kernel/kernel.ts'
import type { Observer } from '../kernel/observer.ts'
import type { Clock } from '../time/turn-clock.ts'
import type { BatchItem } from './batch-items.ts'
import { Deadlines } from './deadlines.ts'
import { Flight, type LoadContext } from './flight.ts'
import { Flights } from './flights.ts'
import { type LoadOptions, type LoadPlan, planLoad } from './load-options.ts'
import { LoadRun } from './load-run.ts'
import { Loaded } from './loaded.ts'
import { wait } from './wait.ts'

/** Produces the value of one key. It may be synchronous; `undefined` is refused, `null` is a value. */
export type Loader<K, V> = (
  context: LoadContext<K, V>,
) => V | Loaded<V> | PromiseLike<V | Loaded<V>>

/** What the call for one key comes to before anything is loaded. */
export interface Look<V> {
  /** To be returned as it is. */
  readonly served: V | undefined
  /** Expired value, for the loader to compare with. */
  readonly stale: V | undefined
  /** The stale value, as long as it may be served in place of a failure. */
  readonly fallback: (() => V | undefined) | undefined
  /** A refresh is due that nobody waits for. */
  readonly refresh: boolean
}

/**
 * Loads in progress and the rules under which their results are kept.
 *
 * Flights live here, outside the bounded store, so that eviction never ends one. A flight whose key is
 * invalidated is fenced: its callers still get its result, which is not stored, and later callers start
 * a new one. A tag may turn out to concern a flight only when its result names it; then
 * the epoch of the tag table, noted when the load began, decides.
 */
export class Loads<K, V> {
  readonly defaults: LoadPlan
  readonly kernel: Kernel<K, V>
  readonly tags: TagTable
  readonly clock: Clock
  readonly deadlines: Deadlines
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

  constructor(
    kernel: Kernel<K, V>,
    tags: TagTable,
    clock: Clock,
    writer: EntryWriter<K, V>,
    defaults: LoadPlan,
    enabled: boolean,
    observer: Observer<K> | null,
  ) {
    this.kernel = kernel
    this.tags = tags
    this.clock = clock
    this.deadlines = new Deadlines(clock)
    this.#writer = writer
    this.defaults = defaults
    this.#enabled = enabled
    this.#observer = observer
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
    assertLoader(loader)
    const look = this.look(key, plan)
    const flight = this.joinable(key)
    if (look.served !== undefined) {
      if (look.refresh && flight === undefined) this.#begin(key, loader, plan, look, false)
      return look.served
    }
    plan.signal?.throwIfAborted()
    return flight === undefined
      ? this.answer(this.#begin(key, loader, plan, look, true), plan, look)
      : this.join(flight, plan, look, () => this.load(key, loader, plan))
  }

  /** What is known about `key` now. */
  look(key: K, plan: LoadPlan): Look<V> {
    const { kernel } = this
    const slot = kernel.locate(key)
    const state = slot === ABSENT ? GONE : kernel.state(slot)
    if (state === GONE) return NOTHING as Look<V>
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
      // No harder: whether a stale value may still stand in is for its own tags to say.
      this.fence(key, STALE)
      return undefined
    }
    return flight
  }

  /** The result of a flight for a caller that began it. */
  answer(flight: Flight<K, V>, plan: LoadPlan, look: Look<V>): V | Promise<V> {
    if (flight.settled) {
      if (!flight.failed) return flight.value as V
      const fallback = look.fallback?.()
      if (fallback !== undefined) return fallback
      throw flight.error
    }
    const fallback = look.fallback && (() => (flight.fence === GONE ? undefined : look.fallback!()))
    if (plan.signal !== undefined || fallback !== undefined) {
      return wait(flight, plan.signal, plan.softDeadline, this.clock, fallback)
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
    look: Look<V>,
    again: () => V | Promise<V>,
  ): V | Promise<V> {
    const answer = this.answer(flight, plan, look)
    const untouched = flight.epoch === this.tags.epoch
    if ((untouched && !flight.batched) || flight.settled) return answer
    return (answer as Promise<V>).then(value =>
      value === undefined || (!untouched && flight.outdated) ? again() : value,
    )
  }

  /** Registers a flight for `key`; the caller starts its run. */
  depart(key: K, plan: LoadPlan, look: Look<V>, batched: boolean, awaited: boolean): Flight<K, V> {
    const stamp = this.kernel.guards?.[this.kernel.locate(key)] as TagStamp | undefined
    const tags = stamp === undefined ? plan.tags : plan.tags.concat(stamp.names)
    const flight = new Flight(key, look.stale, plan, tags, this.tags.epoch, batched, !awaited)
    if (this.#enabled) this.#flights.add(flight)
    else flight.fence = GONE
    return flight
  }

  /** Keeps the result of a flight unless something forbids it, and hands it to those who wait. */
  arrive(flight: Flight<K, V>, result: BatchItem<V>): void {
    if (flight.batched && result instanceof Error) {
      this.fail(flight, result)
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
      this.fail(flight, new LoadResultError('a value (`null` for "there is none")', undefined))
      return
    }
    const tags = own?.tags ?? plan.tags
    const invalidated = this.tags.invalidatedSince(flight.epoch, tags)
    // Whoever joined knew the tags of the plan to be untouched; only others can be news to them.
    flight.outdated = invalidated && tags !== plan.tags
    if (flight.fence !== FRESH || invalidated) {
      this.discarded++
      this.#observer?.refused(flight.key, 'discarded')
    } else if (own?.store !== false) {
      const negative = value === null ? plan.negativeTtl : undefined
      const ttl = own?.ttl ?? negative ?? plan.ttl ?? this.#writer.ttl
      try {
        this.#writer.write(flight.key, value, ttl, tags, plan)
      } catch (error) {
        this.fail(flight, error)
        return
      }
    }
    flight.succeed(value)
  }

  /** Hands a failure to those who wait, and puts off the next attempt if there is a stale value to live on. */
  fail(flight: Flight<K, V>, error: unknown): void {
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
  count(succeeded: boolean, started: number): void {
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

  #begin(
    key: K,
    loader: Loader<K, V>,
    plan: LoadPlan,
    look: Look<V>,
    awaited: boolean,
  ): Flight<K, V> {
    const flight = this.depart(key, plan, look, false, awaited)
    const call = (): V | Loaded<V> | PromiseLike<V | Loaded<V>> => loader(flight)
    new LoadRun(this, [flight], plan.hardDeadline, call, onlyItem<V>).start(awaited)
    return flight
  }
}

const NOTHING: Look<unknown> = {
  served: undefined,
  stale: undefined,
  fallback: undefined,
  refresh: false,
}

function onlyItem<V>(result: V | Loaded<V>): readonly BatchItem<V>[] {
  return [result]
}

function staleSince(expires: number, stamp: TagStamp | undefined): number {
  return stamp === undefined ? expires : Math.min(expires, stamp.staleSince)
}

/** @throws {@link InvalidOptionError} */
export function assertLoader(loader: unknown): void {
  if (typeof loader !== 'function') throw new InvalidOptionError('loader', 'a function', loader)
}
