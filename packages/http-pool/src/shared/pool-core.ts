import type { Clock } from '@millrace/kit'
import type { StoreAdapter } from '../cache/response-store.ts'
import type { Coalescer } from '../coalesce/coalescer.ts'
import { addTo, type Counters, zeroCounters } from '../connect/counters.ts'
import { Origin } from '../connect/origin.ts'
import { PoolLoad } from '../connect/pool-load.ts'
import { PoolClosedError } from '../errors.ts'
import { type GuardSettings, HostGuard } from '../host/host-guard.ts'
import type { PoolSettings } from '../options/pool-settings.ts'
import { RetryBudget } from '../retry/retry-budget.ts'
import { RetryPolicy } from '../retry/retry-policy.ts'
import { ProcessHold } from '../time/process-hold.ts'

/** Origins that nothing uses are forgotten beyond this many. */
const MAX_UNUSED_ORIGINS = 1_000

/** What is under way in a pool: a request, or a call that has none yet. */
export interface Running {
  /** The origin: `scheme://host:port`. */
  readonly key: string
  /** Somebody waits for it. Not so where a call does that has begun it, or a cache that renews what it holds. */
  readonly isAwaited: boolean
  previous: Running | null
  next: Running | null
  abort(reason: Error): void
}

/** What all exchanges of a pool share. */
export class PoolCore extends PoolLoad {
  readonly settings: PoolSettings
  readonly random: () => number
  readonly hold: ProcessHold = new ProcessHold()
  readonly retryBudget: RetryBudget
  readonly origins: Map<string, Origin> = new Map()
  /** What origins had counted that are forgotten. */
  readonly forgotten: Counters = zeroCounters()
  #forgetAt = MAX_UNUSED_ORIGINS
  #newest: Running | null = null
  #awaited = 0
  coalescer: Coalescer | undefined
  store: StoreAdapter | undefined
  /** Calls that a cache answered. */
  cached = 0
  closed = false
  destroyed = false
  #onEmpty: (() => void) | undefined

  constructor(settings: PoolSettings, clock: Clock, random: () => number) {
    super(settings, clock)
    this.settings = settings
    this.random = random
    // Without retries as well: a single call may ask for them.
    const { budget, budgetFloor } = settings.call.retry ?? new RetryPolicy()
    this.retryBudget = new RetryBudget(budget, budgetFloor)
  }

  originOf(key: string): Origin {
    const known = this.origins.get(key)
    if (known !== undefined) return known
    if (this.origins.size >= this.#forgetAt) this.#forgetUnused()
    const settings = this.settings.origins.get(key) ?? this.settings.origin
    const guard = hasGuard(settings.guard)
      ? new HostGuard(key, settings.guard, this.random)
      : undefined
    const origin = new Origin(this, key, settings, guard)
    this.origins.set(key, origin)
    return origin
  }

  /** A list through the requests themselves: a Set would cost more than the rest of the bookkeeping. */
  add(running: Running): void {
    const newest = this.#newest
    running.previous = newest
    if (newest !== null) newest.next = running
    this.#newest = running
    if (running.isAwaited) this.#awaited++
  }

  remove(running: Running): void {
    const { previous, next } = running
    if (previous !== null) previous.next = next
    if (next !== null) next.previous = previous
    else this.#newest = previous
    running.previous = null
    running.next = null
    if (running.isAwaited && --this.#awaited === 0) this.#onEmpty?.()
  }

  /** Ends all requests. */
  abortAll(error: Error | undefined): void {
    for (let running = this.#newest; running !== null; running = this.#newest) {
      running.abort(error ?? new PoolClosedError(running.key))
    }
  }

  /** Resolves once nothing is left that a caller waits for. */
  whenEmpty(): Promise<void> {
    if (this.#awaited === 0) return Promise.resolve()
    return new Promise(resolve => {
      this.#onEmpty = resolve
    })
  }

  #forgetUnused(): void {
    const now = this.clock.now()
    for (const [key, origin] of this.origins) {
      if (!origin.isUnused(now)) continue
      addTo(this.forgotten, origin.counters)
      this.origins.delete(key)
    }
    // However many are in use, the search costs O(1) for each new origin.
    this.#forgetAt = Math.max(MAX_UNUSED_ORIGINS, 2 * this.origins.size)
  }
}

function hasGuard(settings: GuardSettings): boolean {
  const { hostTokens, breaker, throttle, hedge, learnLimits } = settings
  return (
    learnLimits || [hostTokens, breaker, throttle, hedge].some(feature => feature !== undefined)
  )
}
