import { randomUUID } from 'node:crypto'
import {
  checkInteger,
  checkIntegerOrInfinity,
  checkRange,
  InvalidOptionError,
  type OptionNames,
  type StatsKinds,
} from '@millrace/kit'
import { LimiterClosedError, LimitStoreUnavailableError } from '../../errors.ts'
import { checkRefund } from '../../limiter/check-refund.ts'
import type { Decision } from '../../limiter/rate-limiter.ts'
import { WindowLog } from '../../meter/window-log.ts'
import type { AcquireOptions, Admission } from '../../wait/acquire-options.ts'
import { checkAcquireOptions } from '../../wait/acquire-options.ts'
import { publishRefusal } from '../../wait/channels.ts'
import { SLACK } from '../../wait/slack.ts'
import type { WaitOrder } from '../../wait/wait-order.ts'
import {
  LONGEST,
  REDIS_LIMIT_OPTIONS,
  REDIS_LIMIT_STATS_KINDS,
  RedisLimit,
  type RedisLimitOptions,
  type RedisLimitStats,
} from '../limit/redis-limit.ts'
import { type Attempt, RemoteQueue } from '../limit/remote-queue.ts'
import { Ledger } from '../outage/ledger.ts'
import type { OutageMode } from '../outage/outage-mode.ts'
import {
  type PermitNames,
  type WindowGrant,
  type WindowMark,
  WindowStore,
} from '../stores/window-store.ts'
import { RecentGrants } from './recent-grants.ts'

/** No process holds permits ahead, so that there is no `'lease'`. */
export type WindowOutageMode = Exclude<OutageMode, 'lease'>

const MODES: readonly WindowOutageMode[] = ['closed', 'open', 'local']

/** Options that all sliding windows in Redis have. */
export interface SharedWindowsOptions extends RedisLimitOptions {
  /** The most permits in any `window`; a positive integer. Redis keeps some 100 bytes for each. */
  readonly limit: number
  /** Its length in ms, from 1 to 1e12. */
  readonly window: number
  /**
   * What happens while Redis is not available: `'local'` is this process' share of the limit, at least one permit. What passed
   * is entered with its time when Redis is back. Default: `'local'`
   */
  readonly whenDown?: WindowOutageMode | undefined
  /** The most calls of this process that may wait, of each key. Default: Infinity */
  readonly maxQueue?: number | undefined
}

/** The names of {@link SharedWindowsOptions}. */
export const SHARED_WINDOWS_OPTIONS: OptionNames<SharedWindowsOptions> = {
  ...REDIS_LIMIT_OPTIONS,
  limit: true,
  window: true,
  whenDown: true,
  maxQueue: true,
}

/** Statistics that all of them have. */
export interface SharedWindowsStats extends RedisLimitStats {
  /** Permits handed out by this process, without those refunded. */
  granted: number
  refused: number
  refunded: number
  waiting: number
  timeouts: number
  aborts: number
}

/** What the numbers of {@link SharedWindowsStats} are: a refund takes back what was granted. */
export const SHARED_WINDOWS_STATS_KINDS: StatsKinds<SharedWindowsStats> = {
  ...REDIS_LIMIT_STATS_KINDS,
  granted: 'gauge',
  refused: 'counter',
  refunded: 'counter',
  waiting: 'gauge',
  timeouts: 'counter',
  aborts: 'counter',
}

/** So many debts are kept however few keys there are. */
const LEAST_DEBTS = 100_000

/** So often in a row a window may be found lost. */
const TRIES = 3

/** What one process does to one window in Redis. */
interface WindowDebt {
  readonly key: string
  /** What passed without the store… */
  readonly passed: readonly WindowGrant[]
  /** …or was given for nothing. */
  readonly unused?: PermitNames | undefined
}

/** What this process knows of one window. */
interface Local {
  queue: RemoteQueue<WindowGrant> | undefined
  /** What has passed here, with and without the store. */
  readonly log: WindowLog
  /** What of it Redis has given, and what it said then. */
  readonly recent: RecentGrants
  readonly mark: WindowMark
  /** While Redis is told again of what it has lost. */
  restoring: Promise<void> | undefined
}

/**
 * Sliding windows in Redis by their keys there, with everything around a call: the queue, and the process' own share while
 * Redis is away, from which what passed here in the present window is taken off.
 */
export class SharedWindows {
  readonly limit: RedisLimit<WindowOutageMode, WindowDebt>
  readonly #store: WindowStore
  readonly #ledger: Ledger<WindowDebt>
  readonly #limit: number
  readonly #window: number
  readonly #maxQueue: number | undefined
  readonly #order: WaitOrder | undefined
  readonly #maxKeys: number
  readonly #locals = new Map<string, Local>()
  readonly #identity = randomUUID()
  #closed = false
  #calls = 0
  #granted = 0
  #refused = 0
  #refunded = 0
  #timeouts = 0
  #aborts = 0

  /** @param order of the calls that wait, where there is one key only */
  constructor(options: SharedWindowsOptions, maxKeys: number, order?: WaitOrder) {
    const { limit, window, whenDown = 'local', maxQueue } = options
    this.#limit = checkInteger('limit', limit, 1)
    this.#window = checkRange('window', window, 1, LONGEST)
    this.#maxKeys = checkInteger('maxKeys', maxKeys, 1)
    if (maxQueue !== undefined) checkIntegerOrInfinity('maxQueue', maxQueue, 0)
    this.#maxQueue = maxQueue
    this.#order = order
    this.#ledger = new Ledger<WindowDebt>({
      tell: (_, { key, passed, unused }) =>
        unused === undefined ? this.#store.enter(key, passed) : this.#store.forget(key, [unused]),
      merge: ({ key, passed }, later) => ({
        key,
        passed: newest(passed.concat(later.passed), limit),
      }),
      amount: ({ passed }) => total(passed),
      // What is to be taken back stands there by its own name.
      maxKeys: Math.max(maxKeys, LEAST_DEBTS),
    })
    this.limit = new RedisLimit(options, {
      whenDown,
      modes: MODES,
      divided: ['local'],
      ledger: this.#ledger,
    })
    const { guard, clock } = this.limit
    this.#store = new WindowStore({
      guard,
      clock,
      limit,
      window,
      overruled: (most, ms) => this.limit.overruled(`limit ${most}, window ${ms} ms`),
    })
    // Finds a mistake in it before the first call waits.
    if (order !== undefined) this.#local(this.key).queue = this.#queue(this.key)
  }

  /** Of the window where there is one only. */
  get key(): string {
    return `${this.limit.key}:window`
  }

  async decide(key: string, cost: number): Promise<Decision> {
    this.#checkCost(cost)
    const { decision } = await this.#ask(key, cost)
    if (decision.allowed) this.#granted += cost
    else {
      this.#refused++
      publishRefusal(this.limit.name, cost, decision.retryAfter)
    }
    return decision
  }

  async acquire(
    key: string,
    cost: number,
    options: AcquireOptions | undefined,
  ): Promise<Admission> {
    this.#checkCost(cost)
    if (options !== undefined) checkAcquireOptions(options)
    if (this.#closed) throw new LimiterClosedError(this.limit.name)
    const since = this.limit.clock.now()
    const local = this.#local(key)
    local.queue ??= this.#queue(key)
    const { queue } = local
    try {
      await queue.wait(cost, options)
    } finally {
      if (queue.size === 0) this.#forget(local, queue)
    }
    this.#granted += cost
    return { waited: this.limit.clock.now() - since }
  }

  /** The window as it is, without spending. */
  async get(key: string): Promise<Decision> {
    const nothing = { nonce: '', cost: 0, at: 0 }
    return (await this.#store.take(key, nothing, undefined, () => {})).decision
  }

  /** Takes the oldest permits of this process out of the window, so that a refund lets no call through too early. */
  async refund(key: string, cost: number): Promise<void> {
    checkRefund(cost, this.#granted)
    this.#granted -= cost
    this.#refunded += cost
    const now = this.limit.clock.now()
    const local = this.#locals.get(key)
    local?.log.refund(cost, now)
    const rest = cost - this.#unowe(key, cost)
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
  async penalize(key: string, cost: number): Promise<void> {
    const nonce = RecentGrants.nonce(this.#identity, this.#calls++)
    const at = this.limit.clock.now()
    await this.#store.enter(key, [{ nonce, cost: Math.min(cost, this.#limit), at }])
  }

  async block(key: string, ms: number): Promise<void> {
    await this.#store.block(key, ms)
  }

  async reset(key: string): Promise<void> {
    await this.#store.clear(key)
    const queue = this.#locals.get(key)?.queue
    this.#locals.delete(key)
    if (queue !== undefined) {
      this.#local(key).queue = queue
      queue.poke()
    }
  }

  stats(): SharedWindowsStats {
    const stats: SharedWindowsStats = {
      ...this.limit.stats(),
      granted: this.#granted,
      refused: this.#refused,
      refunded: this.#refunded,
      waiting: 0,
      timeouts: this.#timeouts,
      aborts: this.#aborts,
    }
    for (const { queue } of this.#locals.values()) {
      if (queue === undefined) continue
      stats.refused += queue.refused
      stats.waiting += queue.size
      stats.timeouts += queue.timeouts
      stats.aborts += queue.aborts
    }
    return stats
  }

  close(): void {
    this.#closed = true
    this.limit.outage.close()
    for (const { queue } of this.#locals.values()) queue?.close()
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

  /** Strikes permits out that passed without the store, if it has not been told of them. @returns how many */
  #unowe(key: string, cost: number): number {
    const debt = this.#ledger.get(key)
    if (debt === undefined || !this.#ledger.delete(key)) return 0
    const left: WindowGrant[] = []
    let struck = 0
    for (const grant of debt.passed) {
      const count = Math.min(grant.cost, cost - struck)
      struck += count
      if (count < grant.cost) left.push({ ...grant, cost: grant.cost - count })
    }
    if (left.length > 0) this.#ledger.add(key, { key, passed: left })
    return struck
  }

  #forget(local: Local, queue: RemoteQueue<WindowGrant>): void {
    // An order serves one queue only, which is kept.
    if (this.#order !== undefined || local.queue !== queue || queue.closed) return
    local.queue = undefined
    this.#refused += queue.refused
    this.#timeouts += queue.timeouts
    this.#aborts += queue.aborts
  }

  async #attempt(key: string, cost: number): Promise<Attempt<WindowGrant>> {
    const { grant, decision, alone } = await this.#ask(key, cost)
    if (decision.allowed) return { granted: true, value: grant }
    // Not for longer than until Redis may be back, which has permits that are nobody's share.
    const most = alone ? this.limit.guard.cooldown : Infinity
    return { granted: false, retryIn: Math.min(decision.retryAfter, most) }
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
        const local = this.#local(key)
        // Until an outage is over for all, calls pass within the share and within what Redis says.
        const shared = outage.recovery > 0
        if (shared) {
          const decided = this.#decideLocally(key, cost, this.#share)
          alone = !decided.allowed
          if (alone) return decided
        }
        let allowed = false
        try {
          const decided = await this.#take(key, local, grant, late)
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

  /** Asks Redis, which is told first of what it has lost of this process' permits. */
  async #take(key: string, local: Local, grant: WindowGrant, late: () => void): Promise<Decision> {
    const { clock, name } = this.limit
    for (let tries = 0; tries < TRIES; tries++) {
      await local.restoring
      const mark = local.recent.empty(clock.now()) ? newMark(local.mark) : local.mark
      const answer = await this.#store.take(key, grant, mark, late)
      if (!answer.lost) return answer.decision
      local.restoring ??= this.#store.enter(key, local.recent.all(), local.mark).finally(() => {
        local.restoring = undefined
      })
    }
    // A store that evicts what it has just been told keeps no limit.
    throw new LimitStoreUnavailableError(name, { cause: new Error('Redis loses the window again') })
  }

  #decideAlone(key: string, grant: WindowGrant, error: Error): Decision {
    const { cost } = grant
    const open = this.limit.outage.mode === 'open'
    const share = open ? this.#limit : this.#share
    if (cost > share && !open) throw error
    const decision = open
      ? { allowed: true, limit: this.#limit, remaining: 0, resetAfter: 0, retryAfter: 0 }
      : this.#decideLocally(key, cost, share)
    if (decision.allowed) this.limit.outage.owe(key, { key, passed: [grant] })
    return decision
  }

  /** The log has room for the whole limit, of which the shares of the others are taken to be used. */
  #decideLocally(key: string, cost: number, share: number): Decision {
    const { log } = this.#local(key)
    const now = this.limit.clock.now()
    const others = this.#limit - share
    const wait = log.dueAt(cost + others, 0, now) - now
    const allowed = wait <= SLACK
    if (allowed) log.take(cost, now)
    return {
      allowed,
      limit: share,
      remaining: Math.max(0, log.available(now) - others),
      resetAfter: log.resetAfter(now),
      retryAfter: allowed ? 0 : wait,
    }
  }

  /** Permits in any window that this process may give without Redis. */
  get #share(): number {
    return Math.max(1, Math.floor(this.#limit / this.limit.outage.divisor))
  }

  #local(key: string): Local {
    const known = this.#locals.get(key)
    if (known !== undefined) return known
    if (this.#locals.size >= this.#maxKeys) this.#evict()
    const local: Local = {
      queue: undefined,
      log: new WindowLog(this.#limit, this.#window),
      recent: new RecentGrants(this.#identity, this.#window),
      mark: { lineage: 0, counter: 0 },
      restoring: undefined,
    }
    this.#locals.set(key, local)
    return local
  }

  /** Forgets the key that was new first, of those that nothing waits for. */
  #evict(): void {
    for (const [key, { queue }] of this.#locals) {
      if (queue !== undefined) continue
      this.#locals.delete(key)
      return
    }
  }

  #checkCost(cost: number): void {
    if (Number.isInteger(cost) && cost >= 1 && cost <= this.#limit) return
    throw new InvalidOptionError('cost', `an integer from 1 to the limit of ${this.#limit}`, cost)
  }
}

/** More than the limit the window need not know of: it is full either way. */
function newest(grants: readonly WindowGrant[], limit: number): readonly WindowGrant[] {
  let permits = 0
  let first = grants.length
  while (first > 0 && permits < limit) permits += grants[--first]!.cost
  return first === 0 ? grants : grants.slice(first)
}

/** A mark of a window in which this process has no permits: whatever is there, it has lost nothing. */
function newMark(mark: WindowMark): WindowMark {
  mark.lineage = 0
  mark.counter = 0
  return mark
}

function namesOf({ nonce, cost }: WindowGrant): PermitNames {
  return { nonce, from: 0, to: cost }
}

function total(grants: readonly WindowGrant[]): number {
  return grants.reduce((sum, { cost }) => sum + cost, 0)
}
