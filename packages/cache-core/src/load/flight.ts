import { type EntryState, FRESH } from '../kernel/kernel.ts'
import type { LoadPlan } from './load-options.ts'
import type { AnyRun } from './load-run.ts'

/** What a loader is called with. */
export interface LoadContext<K, V> {
  readonly key: K
  /** The expired value, if one is still held: for conditional requests. Return it to keep it. */
  readonly stale: V | undefined
  /** Whether it is a refresh behind a value that was served, so that nobody waited when it began. */
  readonly background: boolean
  /**
   * Aborted when the hard deadline passes, or when every caller has given up. Reading it costs an
   * `AbortController`; loaders that do not read it do not pay for one.
   */
  readonly signal: AbortSignal
}

/** A key in flight: what its load began with, who waits for it, and whether its result may be kept. */
export class Flight<K, V> implements LoadContext<K, V> {
  readonly key: K
  readonly stale: V | undefined
  readonly plan: LoadPlan
  /** Tags of the call, and those of the value that is to be replaced: the result may well have the same. */
  readonly tags: readonly string[]
  /** Epoch of the tag table when the load began. */
  readonly epoch: number
  /** Part of a `getOrLoadMany`, whose loader may leave the key out. */
  readonly batched: boolean
  readonly background: boolean
  /** Worse than FRESH as soon as something invalidated the key: the result is not kept. */
  fence: EntryState = FRESH
  /** The next flights of the same key, where there are several: kept by `Flights`. */
  older: Flight<K, V> | undefined
  newer: Flight<K, V> | undefined
  run: AnyRun | undefined
  /** A tag that the result itself named was invalidated after the load began. */
  outdated = false
  settled = false
  /** Everybody who waited has given up. */
  abandoned = false
  /** The value if the load succeeded; `undefined` if a batch loader left the key out. */
  value: V | undefined
  failed = false
  error: unknown
  /** True once somebody wants the result who cannot give up: the load is never aborted by its callers. */
  #held: boolean
  #abortable = 0
  #promise: Promise<V> | undefined
  #resolve: ((value: V) => void) | undefined
  #reject: ((error: unknown) => void) | undefined

  constructor(
    key: K,
    stale: V | undefined,
    plan: LoadPlan,
    tags: readonly string[],
    epoch: number,
    batched: boolean,
    background: boolean,
  ) {
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

  /** Shared by all who wait; made when first asked for, so that a failed refresh that nobody awaits rejects nothing. */
  get promise(): Promise<V> {
    if (this.#promise === undefined) {
      if (this.settled) {
        return this.failed ? Promise.reject(this.error) : Promise.resolve(this.value as V)
      }
      this.#promise = new Promise((resolve, reject) => {
        this.#resolve = resolve
        this.#reject = reject
      })
    }
    return this.#promise
  }

  /** Somebody waits who cannot give up, or the refresh is wanted for its own sake. */
  hold(): void {
    this.#held = true
    this.#retain()
  }

  /** Somebody waits who may give up. */
  join(): void {
    this.#abortable++
    this.#retain()
  }

  /** One of those who may give up did. The last one lets go of the run, which is aborted if nobody else wants it. */
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
    this.#resolve?.(value)
  }

  fail(error: unknown): void {
    this.settled = true
    this.failed = true
    this.error = error
    this.#reject?.(error)
  }
}
