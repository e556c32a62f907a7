import { randomUUID } from 'node:crypto'
import { type Clock, checkInteger, checkPositive, checkText } from '@millrace/kit'
import { systemClock } from '../../clock.ts'
import { InvalidOptionError } from '../../errors.ts'
import type { Decision } from '../../limiter/rate-limiter.ts'
import type { AcquireOptions, Admission } from '../../wait/acquire-options.ts'
import { publishRefusal } from '../../wait/channels.ts'
import type { WaitOrder } from '../../wait/wait-order.ts'
import { SlidingWindow } from '../../window/sliding-window.ts'
import type { RedisClient } from '../client/redis-client.ts'
import { StoreGuard, type StoreGuardOptions } from '../client/store-guard.ts'
import { Ledger } from '../outage/ledger.ts'
import { Outage } from '../outage/outage.ts'
import { type OutageMode, outageOptions } from '../outage/outage-mode.ts'
import { Peers } from '../outage/peers.ts'
import { type WindowGrant, WindowStore } from '../stores/window-store.ts'
import { type Attempt, RemoteQueue } from './remote-queue.ts'

/** No process holds permits ahead, so that there is no `'lease'`. */
type WindowOutageMode = Exclude<OutageMode, 'lease'>

const modes: readonly WindowOutageMode[] = ['closed', 'open', 'local']

export interface RedisSlidingWindowOptions extends StoreGuardOptions {
  /** An ioredis `Redis` or `Cluster`. It is not closed with the limiter. */
  readonly client: RedisClient
  /** Which limit: processes that give the same id, limit and window share it. */
  readonly id: string
  /** The most permits in any `window`; a positive integer. Redis keeps some 100 bytes for each. */
  readonly limit: number
  /** Its length in ms. */
  readonly window: number
  /**
   * What happens while Redis is not available; default `'local'`, this process' share of the limit, at least one permit.
   * What passed is entered with its time when Redis is back.
   */
  readonly whenDown?: WindowOutageMode | undefined
  /** As how many processes this one counts itself until it has heard from Redis, for its local share; default 1. */
  readonly processes?: number | undefined
  /** Before the id in Redis; default `'millrace:limit'`. */
  readonly prefix?: string | undefined
  /** The most callers of this process that may wait; default Infinity. */
  readonly maxQueue?: number | undefined
  readonly order?: WaitOrder | undefined
  /** In errors, statistics and diagnostics; default the id. */
  readonly name?: string | undefined
  readonly clock?: Clock | undefined
}

export interface RedisSlidingWindowStats {
  granted: number
  refused: number
  waiting: number
  timeouts: number
  aborts: number
  /** Calls to Redis. */
  trips: number
  /** Calls that Redis did not answer, or that were not made because it was known to be down. */
  unavailable: number
  /** 1 while Redis is not available, else 0. */
  down: number
  /** Permits that passed without Redis and that it does not know of yet. */
  unsettled: number
  /** Processes that share the limit, as far as known. */
  processes: number
}

/** Under which all that passed alone stands in the ledger; what was given for nothing stands under its own name. */
const DEBT = ''

/**
 * At most `limit` permits of all processes in any window: an exact log in Redis. Callers that wait do so in order within
 * a process; between processes whoever asks first when a permit is free.
 */
export class RedisSlidingWindow {
  readonly name: string
  readonly #clock: Clock
  readonly #guard: StoreGuard
  readonly #store: WindowStore
  readonly #outage: Outage<WindowOutageMode, WindowGrant[]>
  readonly #peers: Peers
  readonly #local: SlidingWindow
  readonly #queue: RemoteQueue<WindowGrant>
  readonly #limit: number
  readonly #identity = randomUUID()
  #calls = 0
  #granted = 0
  #refused = 0

  constructor({
    client,
    id,
    limit,
    window,
    whenDown = 'local',
    processes: expected,
    prefix = 'millrace:limit',
    maxQueue,
    order,
    name = id,
    clock = systemClock,
    ...guard
  }: RedisSlidingWindowOptions) {
    this.name = name
    this.#clock = clock
    checkText('id', id)
    this.#limit = checkInteger('limit', limit, 1)
    checkPositive('window', window)
    this.#guard = new StoreGuard(client, name, clock, guard)
    this.#store = new WindowStore(this.#guard, `${prefix}:{${id}}:window`, limit, window, clock)
    this.#local = new SlidingWindow({ limit, window, name, clock })
    const { mode, processes } = outageOptions({ whenDown, processes: expected }, modes)
    this.#peers = new Peers(`${prefix}:{${id}}:peers`, this.#guard, clock, processes)
    this.#outage = new Outage({
      mode,
      ledger: new Ledger<WindowGrant[]>({
        tell: (key, grants) => {
          return key === DEBT ? this.#store.enter(grants) : this.#store.forget(grants[0]!)
        },
        merge: (grants, later) => newest(grants.concat(later), limit),
        amount: (grants, key) => (key === DEBT ? total(grants) : 0),
      }),
      peers: mode === 'local' ? this.#peers : undefined,
      clock,
      retryAfter: this.#guard.cooldown,
    })
    this.#queue = new RemoteQueue<WindowGrant>({
      name,
      clock,
      maxQueue,
      order,
      attempt: cost => this.#attempt(cost),
      // What cannot be given back leaves the window by itself.
      giveBack: grant => void this.#store.forget(grant).catch(() => {}),
    })
  }

  /** Spends `cost` if that is possible now. @throws (by rejection) as {@link decide} does */
  async tryAcquire(cost = 1): Promise<boolean> {
    return (await this.decide(cost)).allowed
  }

  /**
   * {@link tryAcquire} with all that a response header or a log line needs.
   *
   * @throws (by rejection) {LimitStoreUnavailableError} where `whenDown` is `'closed'`, or if `cost` is more than a local share;
   *   {InvalidOptionError} if it is more than the limit
   */
  async decide(cost = 1): Promise<Decision> {
    this.#checkCost(cost)
    const { decision } = await this.#ask(cost)
    if (decision.allowed) this.#granted += cost
    else {
      this.#refused++
      publishRefusal(this.name, cost, decision.retryAfter)
    }
    return decision
  }

  /**
   * Spends `cost`, after waiting for its turn if need be.
   *
   * @throws (by rejection) {AcquireTimeoutError}; `signal.reason` on abort; {QueueFullError}; {LimiterClosedError};
   *   {LimitStoreUnavailableError} as {@link decide} does; {InvalidOptionError}
   */
  acquire(cost: number, options?: AcquireOptions): Promise<Admission>
  acquire(options?: AcquireOptions): Promise<Admission>
  async acquire(first?: number | AcquireOptions, second?: AcquireOptions): Promise<Admission> {
    const options = typeof first === 'object' ? first : second
    const cost = (typeof first === 'object' ? undefined : first) ?? options?.cost ?? 1
    this.#checkCost(cost)
    const since = this.#clock.now()
    await this.#queue.wait(cost, options)
    this.#granted += cost
    return { waited: this.#clock.now() - since }
  }

  stats(): RedisSlidingWindowStats {
    return {
      granted: this.#granted,
      refused: this.#refused + this.#queue.refused,
      waiting: this.#queue.size,
      timeouts: this.#queue.timeouts,
      aborts: this.#queue.aborts,
      trips: this.#guard.trips,
      unavailable: this.#guard.unavailable,
      down: this.#guard.down ? 1 : 0,
      unsettled: this.#outage.owed,
      processes: this.#peers.count,
    }
  }

  /** Rejects all who wait with {@link LimiterClosedError}. */
  [Symbol.dispose](): void {
    this.#outage.close()
    this.#queue.close()
  }

  async #attempt(cost: number): Promise<Attempt<WindowGrant>> {
    const { grant, decision, alone } = await this.#ask(cost)
    if (decision.allowed) return { granted: true, value: grant }
    // Not for longer than until Redis may be back, which has permits that are nobody's share.
    const most = alone ? this.#guard.cooldown : Infinity
    return { granted: false, retryIn: Math.min(decision.retryAfter, most) }
  }

  /** @returns with the decision whether it was made without Redis */
  async #ask(cost: number): Promise<{ grant: WindowGrant; decision: Decision; alone: boolean }> {
    const grant = this.#grant(cost)
    let alone = false
    let passed = false
    const late = () => {
      // Entered by its name, what passed alone is the same permit.
      if (!passed) this.#outage.owe(grant.nonce, [grant])
    }
    const decision = await this.#outage.bridge(
      () => this.#store.take(grant, late),
      error => {
        alone = true
        const decided = this.#decideAlone(grant, error)
        passed = decided.allowed
        return decided
      },
    )
    return { grant, decision, alone }
  }

  #decideAlone(grant: WindowGrant, error: Error): Decision {
    const share = this.#outage.mode === 'open' ? Infinity : this.#share
    if (grant.cost > share) throw error
    const decision = share === Infinity ? this.#unbounded : this.#decideLocally(grant.cost, share)
    if (decision.allowed) this.#outage.owe(DEBT, [grant])
    return decision
  }

  get #unbounded(): Decision {
    return { allowed: true, limit: this.#limit, remaining: 0, resetAfter: 0, retryAfter: 0 }
  }

  /** The local log has room for the whole limit, of which the shares of the others are taken to be used. */
  #decideLocally(cost: number, share: number): Decision {
    const others = this.#limit - share
    const retryAfter = this.#local.estimateWait(cost + others)
    const allowed = retryAfter === 0
    const decision = this.#local.decide(allowed ? cost : 0)
    const remaining = Math.max(0, decision.remaining - others)
    return { ...decision, allowed, remaining, retryAfter }
  }

  /** Permits in any window that this process may give without Redis. */
  get #share(): number {
    return Math.max(1, Math.floor(this.#limit / this.#outage.processes))
  }

  #grant(cost: number): WindowGrant {
    return { nonce: `${this.#identity}:${this.#calls++}`, cost, at: this.#clock.now() }
  }

  #checkCost(cost: number): void {
    if (Number.isInteger(cost) && cost >= 1 && cost <= this.#limit) return
    throw new InvalidOptionError('cost', `an integer from 1 to the limit of ${this.#limit}`, cost)
  }
}

/** More than the limit the window need not know of: it is full either way. */
function newest(grants: WindowGrant[], limit: number): WindowGrant[] {
  let permits = 0
  let first = grants.length
  while (first > 0 && permits < limit) permits += grants[--first]!.cost
  return first === 0 ? grants : grants.slice(first)
}

function total(grants: readonly WindowGrant[]): number {
  return grants.reduce((sum, { cost }) => sum + cost, 0)
}
