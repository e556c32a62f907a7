import type { StoreAdapter } from '../cache/response-store.ts'
import type { Clock } from '../clock.ts'
import type { Coalescer } from '../coalesce/coalescer.ts'
import { addTo, type Counters, zeroCounters } from '../connect/counters.ts'
import { Origin } from '../connect/origin.ts'
import { SocketBudget } from '../connect/socket-budget.ts'
import { StreamWatch } from '../connect/stream-watch.ts'
import { PoolClosedError } from '../errors.ts'
import { HostGuard } from '../host/host-guard.ts'
import type { GuardSettings, PoolSettings } from '../options/settings.ts'
import { RetryBudget } from '../retry/retry-budget.ts'
import { RetryPolicy } from '../retry/retry-policy.ts'
import { DeadlineHeap } from '../time/deadline-heap.ts'
import { ProcessHold } from '../time/process-hold.ts'

/** Origins that nothing uses are forgotten beyond this many. */
const maxUnusedOrigins = 1_000

/** What keeps a pool from closing: a request, or a call that has none yet. */
export interface Running {
  /** The origin: `scheme://host:port`. */
  readonly key: string
  previous: Running | null
  next: Running | null
  abort(reason: Error): void
}

/** What all origins and exchanges of a pool share. */
export class PoolCore {
  readonly settings: PoolSettings
  readonly clock: Clock
  readonly random: () => number
  readonly deadlines: DeadlineHeap
  readonly sockets: SocketBudget
  readonly streams: StreamWatch = new StreamWatch()
  readonly hold: ProcessHold = new ProcessHold()
  readonly retryBudget: RetryBudget
  readonly origins: Map<string, Origin> = new Map()
  /** What origins had counted that are forgotten. */
  readonly forgotten: Counters = zeroCounters()
  #forgetAt = maxUnusedOrigins
  #newest: Running | null = null
  /** Origins with attempts that wait for `totalConcurrency`. */
  readonly blocked: Set<Origin> = new Set()
  coalescer: Coalescer | undefined
  store: StoreAdapter | undefined
  /** Calls that a cache answered. */
  cached = 0
  /** Attempts in queues. */
  queued = 0
  /** Attempts on connections. */
  inFlight = 0
  isClosed = false
  isDestroyed = false
  #onEmpty: (() => void) | undefined

  constructor(settings: PoolSettings, clock: Clock, random: () => number) {
    this.settings = settings
    this.clock = clock
    this.random = random
    this.deadlines = new DeadlineHeap(clock)
    this.sockets = new SocketBudget(settings.totalConnections)
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

  pumpBlocked(): void {
    for (const origin of this.blocked) {
      if (this.inFlight >= this.settings.totalConcurrency) return
      this.blocked.delete(origin)
      origin.pump()
    }
  }

  /** A list through the requests themselves: a Set would cost more than the rest of the bookkeeping. */
  add(running: Running): void {
    const newest = this.#newest
    running.previous = newest
    if (newest !== null) newest.next = running
    this.#newest = running
  }

  remove(running: Running): void {
    const { previous, next } = running
    if (previous !== null) previous.next = next
    if (next !== null) next.previous = previous
    else this.#newest = previous
    running.previous = null
    running.next = null
    if (this.#newest === null) this.#onEmpty?.()
  }

  /** Ends all requests. */
  abortAll(error: Error | undefined): void {
    for (let running = this.#newest; running !== null; running = this.#newest) {
      running.abort(error ?? new PoolClosedError(running.key))
    }
  }

  /** Resolves once no request is left. */
  whenEmpty(): Promise<void> {
    if (this.#newest === null) return Promise.resolve()
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
    this.#forgetAt = Math.max(maxUnusedOrigins, 2 * this.origins.size)
  }
}

function hasGuard(settings: GuardSettings): boolean {
  const { hostTokens, breaker, throttle, hedge, learnLimits } = settings
  return (
    learnLimits || [hostTokens, breaker, throttle, hedge].some(feature => feature !== undefined)
  )
}
