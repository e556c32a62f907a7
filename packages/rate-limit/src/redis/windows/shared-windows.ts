import { randomUUID } from 'node:crypto'
import {
  checkInteger,
  checkIntegerOrInfinity,
  checkNonNegative,
  checkRange,
  InvalidOptionError,
} from '@millrace/kit'
import { LimitStoreUnavailableError } from '../../errors.ts'
import { LONGEST } from '../../limiter/longest.ts'
import type { Decision } from '../../limiter/rate-limiter.ts'
import type { AcquireOptions, Admission } from '../../wait/acquire-options.ts'
import { checkAcquireOptions } from '../../wait/acquire-options.ts'
import type { WaitOrder } from '../../wait/order/wait-order.ts'
import type { WaitCounts } from '../../wait/wait-totals.ts'
import { RedisLimit } from '../limit/redis-limit.ts'
import { type Attempt, RemoteQueue } from '../limit/remote-queue.ts'
import { SharedRate } from '../limit/shared-rate.ts'
import type { Ledger } from '../outage/ledger.ts'
import { NOTICE } from '../scripts/window-scripts.ts'
import { namesOf, type WindowGrant, WindowStore } from '../stores/window-store.ts'
import type { LocalWindow } from './local-window.ts'
import { LocalWindows } from './local-windows.ts'
import { RecentGrants } from './recent-grants.ts'
import { newWindowLedger, strike, type WindowDebt } from './window-debts.ts'
import { type SharedWindowsOptions, WINDOW_MODES, type WindowOutageMode } from './window-options.ts'

/**
 * Sliding windows in Redis by their keys there, with everything around a call: the queue, and the process' own share while
 * Redis is away, from which what passed here in the present window is taken off.
 */
export class SharedWindows extends SharedRate<WindowOutageMode, WindowDebt> {
  readonly limit: RedisLimit<WindowOutageMode, WindowDebt>
  readonly #store: WindowStore
  readonly #ledger: Ledger<WindowDebt>
  readonly #limit: number
  readonly #maxQueue: number | undefined
  readonly #order: WaitOrder | undefined
  readonly #locals: LocalWindows
  readonly #identity = randomUUID()
  #calls = 0

  /** @param order of the calls that wait, where there is one key only */
  constructor(options: SharedWindowsOptions, maxKeys: number, order?: WaitOrder) {
    super(':window')
    const { limit, window, whenDown = 'local', maxQueue } = options
    this.#limit = checkInteger('limit', limit, 1)
    checkRange('window', window, 1, LONGEST)
    checkInteger('maxKeys', maxKeys, 1)
    if (maxQueue !== undefined) checkIntegerOrInfinity('maxQueue', maxQueue, 0)
    this.#maxQueue = maxQueue
    this.#order = order
    this.#ledger = newWindowLedger({ store: () => this.#store, limit, maxKeys })
    this.limit = new RedisLimit(options, {
      whenDown,
      modes: WINDOW_MODES,
      divided: ['local'],
      ledger: this.#ledger,
      clocks: {
        missing: Math.min(window, NOTICE),
        kept: window,
        stepped: () => void this.#locals.restore(),
      },
    })
    const { guard, name, clock, clocks } = this.limit
    this.#store = new WindowStore({
      guard,
      clock,
      clocks,
      limit,
      window,
      overruled: (most, ms) => this.limit.overruled(`limit ${most}, window ${ms} ms`),
    })
    const store = this.#store
    const identity = this.#identity
    this.#locals = new LocalWindows({ store, name, clock, limit, window, identity }, maxKeys)
    // Finds a mistake in it before the first call waits.
    if (order !== undefined) this.#locals.of(this.key).queue = this.#queue(this.key)
  }

  async decide(key: string, asked: number): Promise<Decision> {
    const cost = this.#whole(asked)
    this.checkOpen()
    if (cost === 0) return this.#passFree(key)
    const { decision } = await this.#ask(key, cost)
    return this.counted(cost, decision)
  }

  async acquire(
    key: string,
    asked: number,
    options: AcquireOptions | undefined,
  ): Promise<Admission> {
    const cost = this.#whole(asked)
    if (options !== undefined) checkAcquireOptions(options)
    this.checkOpen()
    options?.signal?.throwIfAborted()
    if (cost === 0) {
      await this.#passFree(key)
      return { waited: 0 }
    }
    // It never waits, not for the queue either, where nothing waits before it.
    if (options?.timeout === 0 && !this.#locals.get(key)?.queue?.size)
      return this.acquireNow(key, cost)
    const since = this.limit.clock.now()
    const local = this.#locals.of(key)
    local.queue ??= this.#queue(key)
    const { queue } = local
    try {
      await queue.wait(cost, options)
    } finally {
      if (queue.size === 0) this.#forget(local, queue)
    }
    this.count(cost)
    return { waited: this.limit.clock.now() - since }
  }

  /** The window as it is, without spending. */
  async get(key: string): Promise<Decision> {
    this.checkOpen()
    const nothing = { nonce: '', cost: 0, at: 0 }
    const { decision } = await this.#store.take(key, nothing, undefined, () => {})
    return { ...decision, allowed: decision.remaining >= 1 }
  }

  /** Takes the oldest permits of this process out of the window, so that a refund lets no call through too early. */
  async refund(key: string, given: number): Promise<void> {
    const cost = this.countRefund(given, this.#limit, true)
    const now = this.limit.clock.now()
    const local = this.#locals.get(key)
    local?.log.refund(cost, now)
    const rest = cost - strike(this.#ledger, key, cost)
    const permits = local?.recent.take(rest, now) ?? []
    try {
      await this.#store.forget(key, permits)
    } catch (error) {
      if (!(error instanceof LimitStoreUnavailableError)) throw error
      // By their names they are taken back once, however often that is told.
      for (const unused of permits) {
        const name = `${unused.nonce}:${unused.from}`
        this.limit.outage.owe(name, { key, passed: [], unused })
      }
    }
    local?.queue?.poke()
  }

  /** Enters a grant that nothing asked for, however full the window is. */
  async penalize(key: string, given: number): Promise<void> {
    const cost = Math.min(Math.ceil(checkNonNegative('cost', given)), this.#limit)
    if (cost === 0) return
    const nonce = RecentGrants.nonce(this.#identity, this.#calls++)
    const at = this.limit.clock.now()
    await this.#store.enter(key, [{ nonce, cost, at }])
  }

  async block(key: string, ms: number): Promise<void> {
    if (ms === 0) return
    await this.#store.block(key, ms)
    // It holds while Redis is away, too.
    this.#locals.of(key).log.pause(ms, this.limit.clock.now())
  }

  async reset(key: string): Promise<void> {
    await this.#store.clear(key)
    const queue = this.#locals.get(key)?.queue
    this.#locals.delete(key)
    if (queue !== undefined) {
      this.#locals.of(key).queue = queue
      queue.poke()
    }
  }

  override async close(): Promise<void> {
    this.shut()
    this.limit.outage.close()
    for (const { queue } of this.#locals.values()) queue?.close()
  }

  protected override *queues(): Generator<WaitCounts, void, undefined> {
    for (const { queue } of this.#locals.values()) if (queue !== undefined) yield queue.counts
  }

  /** What spends nothing passes, whatever the window holds. */
  async #passFree(key: string): Promise<Decision> {
    const unknown = { limit: this.#limit, remaining: 0, resetAfter: 0 }
    const decision = await this.limit.outage.bridge(
      () => this.get(key),
      () => unknown,
    )
    return { ...decision, allowed: true, retryAfter: 0 }
  }

  #queue(key: string): RemoteQueue<WindowGrant> {
    const { name, clock } = this.limit
    return new RemoteQueue<WindowGrant>({
      name,
      clock,
      maxQueue: this.#maxQueue,
      order: this.#order,
      attempt: cost => this.#attempt(key, cost),
      // What cannot be given back leaves the window by itself.
      giveBack: grant => void this.#store.forget(key, [namesOf(grant)]).catch(() => {}),
    })
  }

  #forget(local: LocalWindow, queue: RemoteQueue<WindowGrant>): void {
    // An order serves one queue only, which is kept.
    if (this.#order !== undefined || local.queue !== queue || queue.closed) return
    local.queue = undefined
    this.retire(queue.counts)
  }

  async #attempt(key: string, cost: number): Promise<Attempt<WindowGrant>> {
    const { grant, decision, alone } = await this.#ask(key, cost)
    if (decision.allowed) return { granted: true, value: grant }
    // Not for longer than until Redis may be back, which has permits beyond all shares.
    if (alone) {
      return { granted: false, retryIn: Math.min(decision.retryAfter, this.limit.guard.cooldown) }
    }
    const { limit, retryAfter } = decision
    return {
      granted: false,
      retryIn: retryAfter,
      refusal: cost > limit ? badCost(limit, cost) : undefined,
    }
  }

  /** @returns with the decision whether it was made without Redis */
  async #ask(
    key: string,
    cost: number,
  ): Promise<{ grant: WindowGrant; decision: Decision; alone: boolean }> {
    const { clock, outage } = this.limit
    const call = this.#calls++
    const nonce = RecentGrants.nonce(this.#identity, call)
    const grant = { nonce, cost, at: clock.now() }
    let alone = false
    let passed = false
    const late = () => {
      // Entered by its name, what passed alone is the same permit.
      if (!passed) outage.owe(grant.nonce, { key, passed: [], unused: namesOf(grant) })
    }
    const decision = await outage.bridge(
      async () => {
        const local = this.#locals.of(key)
        // Until an outage is over for all, calls pass within the share and within what Redis says.
        const shared = outage.recovery > 0
        if (shared) {
          const decided = local.decide(cost, this.#share)
          alone = !decided.allowed
          if (alone) return decided
        }
        let allowed = false
        try {
          const decided = await local.take(grant, late)
          allowed = decided.allowed
          if (allowed) local.recent.add(call, cost, clock.now())
          return decided
        } finally {
          if (shared && !allowed) local.log.refund(cost, clock.now())
          else if (!shared && allowed) local.log.take(cost, clock.now())
        }
      },
      error => {
        alone = true
        const decided = this.#decideAlone(key, grant, error)
        passed = decided.allowed
        return decided
      },
    )
    return { grant, decision, alone }
  }

  #decideAlone(key: string, grant: WindowGrant, error: Error): Decision {
    const { cost } = grant
    const open = this.limit.outage.mode === 'open'
    const share = open ? this.#limit : this.#share
    if (cost > share && !open) throw error
    const decision = open
      ? { allowed: true, limit: this.#limit, remaining: 0, resetAfter: 0, retryAfter: 0 }
      : this.#locals.of(key).decide(cost, share)
    if (decision.allowed) this.limit.outage.owe(key, { key, passed: [grant] })
    return decision
  }

  /** Permits in any window that this process may give without Redis. */
  get #share(): number {
    return Math.max(1, Math.floor(this.#limit / this.limit.outage.divisor))
  }

  /** The permits of a cost, which is rounded up. */
  #whole(cost: number): number {
    if (typeof cost === 'number' && cost >= 0 && cost <= this.#limit) return Math.ceil(cost)
    throw badCost(this.#limit, cost)
  }
}

function badCost(limit: number, cost: number): InvalidOptionError {
  return new InvalidOptionError('cost', `a number from 0 to the limit of ${limit}`, cost)
}
