import { type EntryState, FRESH } from '../kernel/entry.ts'
import type { LoadPlan } from './load-options.ts'
import type { LoadContext } from './loader.ts'

/** What ends a {@link Flight}: one call of a loader, perhaps for other keys too. */
export interface FlightRun {
  /** The loader is on the stack. */
  readonly calling: boolean
  readonly signal: AbortSignal
  /** One of those who wanted the result wants it no more. */
  release(reason: unknown): void
  /** The result is wanted again. */
  retain(): void
}

/** What a flight begins with. */
export interface FlightStart<K, V> {
  readonly key: K
  /** The expired value, if one is still held. */
  readonly stale: V | undefined
  readonly plan: LoadPlan
  /** Tags of the call, and those of the value that is to be replaced: the result may well have the same. */
  readonly tags: readonly string[]
  /** Epoch of the tag table. */
  readonly epoch: number
  /** Part of a `getOrLoadMany`, whose loader may leave the key out. */
  readonly batched: boolean
  /** A refresh that no caller waits for. */
  readonly background: boolean
}

/** A key in flight: what its load began with, who waits for it, and whether its result may be kept. */
export class Flight<K, V> implements LoadContext<K, V> {
  declare readonly key: K
  declare readonly stale: V | undefined
  declare readonly plan: LoadPlan
  declare readonly tags: readonly string[]
  declare readonly epoch: number
  declare readonly batched: boolean
  declare readonly background: boolean
  /** Worse than FRESH as soon as something invalidated the key: the result is not kept. */
  fence: EntryState = FRESH
  /** The next flights of the same key, where there are several: kept by `Flights`. */
  older: Flight<K, V> | undefined
  newer: Flight<K, V> | undefined
  run: FlightRun | undefined
  /** A tag that the result itself named was invalidated after the load began. */
  outdated = false
  settled = false
  /** All callers have given up. */
  abandoned = false
  /** The value if the load succeeded; `undefined` if a batch loader left the key out. */
  value: V | undefined
  failed = false
  error: unknown
  /** True once the result is wanted by a caller who cannot give up: the load is never aborted by its callers. */
  #held: boolean
  #abortable = 0
  #deferred: PromiseWithResolvers<V> | undefined

  constructor({ key, stale, plan, tags, epoch, batched, background }: FlightStart<K, V>) {
    this.key = key
    this.stale = stale
    this.plan = plan
    this.tags = tags
    this.epoch = epoch
    this.batched = batched
    this.#held = this.background = background
  }

  get signal(): AbortSignal {
    return this.run!.signal
  }

  /** Shared by all who wait; made when first asked for, so that a failed refresh that is not awaited rejects nothing. */
  get promise(): Promise<V> {
    if (this.#deferred === undefined) {
      if (this.settled) {
        return this.failed ? Promise.reject(this.error) : Promise.resolve(this.value as V)
      }
      this.#deferred = Promise.withResolvers()
    }
    return this.#deferred.promise
  }

  /** A caller waits who cannot give up, or the refresh is wanted for its own sake. */
  hold(): void {
    this.#held = true
    this.#retain()
  }

  /** A caller waits who may give up. */
  join(): void {
    this.#abortable++
    this.#retain()
  }

  /** One of those who may give up did. The last one lets go of the run, which is aborted if no other caller wants it. */
  leave(reason: unknown): void {
    if (--this.#abortable > 0 || this.#held || this.settled) return
    this.abandoned = true
    this.run!.release(reason)
  }

  #retain(): void {
    if (!this.abandoned || this.settled) return
    this.abandoned = false
    this.run!.retain()
  }

  succeed(value: V): void {
    this.settled = true
    this.value = value
    this.#deferred?.resolve(value)
  }

  fail(error: unknown): void {
    this.settled = true
    this.failed = true
    this.error = error
    this.#deferred?.reject(error)
  }
}
