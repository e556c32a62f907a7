import {
  type Clock,
  checkClock,
  checkInteger,
  checkIntegerOrInfinity,
  checkOptions,
  checkRange,
  checkText,
  describeStats,
  monotonicClock,
} from '@millrace/kit'
import { InvalidOptionError, LimiterClosedError } from '../errors.ts'
import { checkRefund } from '../limiter/check-refund.ts'
import type { LimitPart } from '../limiter/limit-part.ts'
import { LONGEST } from '../limiter/longest.ts'
import { NO_WAIT } from '../limiter/no-wait.ts'
import type { Decision } from '../limiter/rate-limiter.ts'
import { TOKEN_BUCKET_LIMITS, type TokenBucketLimits } from '../meter/token-bucket-limits.ts'
import type { AcquireOptions, Admission } from '../wait/acquire-options.ts'
import { checkAcquireOptions, costOf, costTwice, optionsOf } from '../wait/acquire-options.ts'
import { AlarmClock } from '../wait/alarm-clock.ts'
import { hasRefusalSubscribers, publishRefusal } from '../wait/channels.ts'
import type { Gate } from '../wait/gate.ts'
import { LinePlace } from '../wait/line/line-place.ts'
import { checkPriority, DEFAULT_PRIORITY } from '../wait/order/priority-order.ts'
import { SLACK } from '../wait/slack.ts'
import { WaitList } from '../wait/wait-list.ts'
import type { Waiter } from '../wait/waiter.ts'
import { checkKey } from './check-key.ts'
import { KeyQueues } from './key-queues.ts'
import { KeyedBuckets } from './keyed-buckets.ts'
import {
  KEYED_LIMITER_OPTIONS,
  KEYED_LIMITER_STATS_KINDS,
  type KeyedLimiterOptions,
  type KeyedLimiterStats,
} from './keyed-limiter-options.ts'
import { ParentLimit } from './parent-limit.ts'

/** A token bucket per key, for users, hosts or API keys: bounded memory, no timer per key, O(1). */
export class KeyedLimiter {
  /** Tells wrappers that calls name a key. */
  readonly keyed = true
  readonly name: string
  readonly #clock: Clock
  readonly #alarms: AlarmClock
  readonly #buckets: KeyedBuckets
  readonly #queues = new KeyQueues()
  readonly #maxKeys: number
  readonly #maxQueue: number
  readonly #parent: ParentLimit | undefined
  #granted = 0
  #refused = 0
  #refunded = 0
  #closed = false

  constructor(options: KeyedLimiterOptions) {
    const {
      rate,
      burst,
      maxKeys = 100_000,
      catchUp = 50,
      maxQueue = Infinity,
      parent,
      name = 'keyed-limiter',
    } = checkOptions('', options, KEYED_LIMITER_OPTIONS)
    this.#parent = parent === undefined ? undefined : new ParentLimit(parent)
    const { clock = this.#parent?.clock ?? monotonicClock } = options
    this.name = checkText('name', name)
    this.#clock = checkClock('clock', clock)
    if (this.#parent !== undefined && this.#parent.clock !== clock) {
      throw new InvalidOptionError('clock', "the parent's own", clock)
    }
    this.#alarms = new AlarmClock(clock)
    this.#maxKeys = checkInteger('maxKeys', maxKeys, 1)
    this.#maxQueue = checkIntegerOrInfinity('maxQueue', maxQueue, 0)
    this.#buckets = new KeyedBuckets({ rate, burst }, catchUp, maxKeys)
  }

  /** Tokens per second and key. */
  get rate(): number {
    return this.#buckets.rate
  }

  /** The most tokens of a key. */
  get burst(): number {
    return this.#buckets.burst
  }

  /**
   * Takes `cost` tokens of the key if they are there and no call waits for them.
   *
   * @throws {InvalidOptionError} if `cost` is more than a bucket can ever hold; {LimiterClosedError}
   */
  tryAcquire(key: string, cost = 1): boolean {
    if (!this.#fits(cost)) throw this.#badCost(cost)
    const now = this.#clock.now()
    if (this.#take(key, cost, now)) return true
    if (this.#closed) throw new LimiterClosedError(this.name)
    this.#refused++
    if (hasRefusalSubscribers()) publishRefusal(this.name, cost, this.#waitFor(key, cost, now))
    return false
  }

  /** {@link tryAcquire} with all that a response header or a log line needs. */
  decide(key: string, cost = 1): Decision {
    const allowed = this.tryAcquire(key, cost)
    const now = this.#clock.now()
    return this.#decision(key, now, allowed, allowed ? 0 : this.#waitFor(key, cost, now))
  }

  /**
   * Takes `cost` tokens of the key, after waiting for its turn among the callers with the same key.
   *
   * @throws (by rejection) as {@link TokenBucket.acquire} does
   */
  acquire(key: string, cost: number, options?: AcquireOptions): Promise<Admission>
  acquire(key: string, options?: AcquireOptions): Promise<Admission>
  acquire(
    key: string,
    first?: number | AcquireOptions,
    second?: AcquireOptions,
  ): Promise<Admission> {
    const options = optionsOf(first, second)
    const wrong = costTwice(first, options)
    if (wrong !== undefined) return Promise.reject(wrong)
    const cost = costOf(first, options)
    if (!this.#fits(cost)) return Promise.reject(this.#badCost(cost))
    if (this.#closed) return Promise.reject(new LimiterClosedError(this.name))
    try {
      if (options !== undefined) {
        checkAcquireOptions(options)
        checkPriority(options.priority ?? DEFAULT_PRIORITY)
      }
    } catch (error) {
      return Promise.reject(error)
    }
    if (!options?.signal?.aborted && this.#take(key, cost, this.#clock.now())) return NO_WAIT
    const queue = this.#queue(key)
    const admission = queue.wait(cost, options)
    if (queue.size === 0) this.#forget(key)
    return admission
  }

  /** Gives back tokens that were granted to the key but not used. */
  refund(key: string, cost = 1): void {
    checkKey(key)
    checkRefund(cost, this.#granted)
    this.#buckets.refund(key, cost, this.#clock.now())
    this.#granted -= cost
    this.#refunded += cost
    this.#parent?.refund(cost)
    this.#queues.get(key)?.serve()
  }

  /** The key's bucket as it is, without spending: `allowed` says whether one token could be taken now. @throws {LimiterClosedError} */
  get(key: string): Decision {
    checkKey(key)
    if (this.#closed) throw new LimiterClosedError(this.name)
    const now = this.#clock.now()
    const retryAfter = this.#waitFor(key, Math.min(1, this.#maxCost), now)
    return this.#decision(key, now, retryAfter === 0, retryAfter)
  }

  /** Fills the key's bucket; calls that wait for it are served at once. Returns whether anything was known of it. */
  reset(key: string): boolean {
    checkKey(key)
    const queue = this.#queues.get(key)
    if (queue === undefined) return this.#buckets.delete(key)
    const now = this.#clock.now()
    this.#buckets.fill(this.#placeOf(key, now), now)
    queue.serve()
    return true
  }

  /**
   * Spends `cost` tokens of the key as a penalty, such as for a failed login: also such as are not there yet, as many as come in
   * 1e12 ms at most. What waits for the key waits on. The parent is left alone, as nothing passes.
   *
   * @throws {InvalidOptionError}
   */
  penalize(key: string, cost = 1): void {
    checkRange('cost', cost, 0, (LONGEST * this.rate) / 1_000)
    const now = this.#clock.now()
    const place = this.#placeOf(key, now)
    this.#buckets.set(place, Math.min(this.#buckets.next(place, cost, now), now + LONGEST))
  }

  /**
   * Empties the key's bucket and has its next token come after `ms`, at most 1e12, to block it for a while, whatever is given back
   * meanwhile; 0 changes nothing. What waits for it waits on.
   *
   * @throws {InvalidOptionError}
   */
  block(key: string, ms: number): void {
    if (checkRange('ms', ms, 0, LONGEST) === 0) return
    const now = this.#clock.now()
    this.#buckets.pause(this.#placeOf(key, now), ms, now)
  }

  /**
   * Changes rate and burst of every key at once, as {@link TokenBucket.setLimits} does. O(keys).
   *
   * @throws {InvalidOptionError} also for unknown names
   */
  setLimits(limits: TokenBucketLimits): void {
    this.#buckets.setLimits(checkOptions('', limits, TOKEN_BUCKET_LIMITS), this.#clock.now())
    this.#onRelaxed()
  }

  stats(): KeyedLimiterStats {
    const { waiting, refused, timeouts, aborts } = this.#queues.totals()
    return {
      keys: this.#buckets.size,
      maxKeys: this.#maxKeys,
      granted: this.#granted,
      refused: this.#refused + refused,
      refunded: this.#refunded,
      timeouts,
      aborts,
      waiting,
      evicted: this.#buckets.evicted,
    }
  }

  /** Ends all waits with {@link LimiterClosedError} and refuses what asks for tokens from now on. Tokens can still be refunded. */
  close(): void {
    this.#closed = true
    for (const queue of this.#queues.list()) queue.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #decision(key: string, now: number, allowed: boolean, retryAfter: number): Decision {
    const own = this.#queues.has(key) ? 0 : this.#buckets.available(key, now)
    const remaining = Math.max(0, Math.min(own, this.#parent?.left(now) ?? own))
    return {
      allowed,
      limit: this.#buckets.burst,
      remaining,
      resetAfter: this.#buckets.resetAfter(key, now),
      retryAfter,
      nextAfter: remaining >= 1 ? 0 : this.#waitFor(key, Math.min(1, this.#maxCost), now),
    }
  }

  #take(key: string, cost: number, now: number): boolean {
    const buckets = this.#buckets
    const place = buckets.placeOf(key, now, this.#queues)
    const next = buckets.next(place, cost, now)
    if (next > now + SLACK || buckets.blocked(place, now) || this.#closed) return false
    if (this.#queues.size !== 0 && this.#queues.has(key)) return false
    if (this.#parent !== undefined && !this.#parent.tryTake(cost, now)) return false
    buckets.set(place, next)
    this.#granted += cost
    return true
  }

  #placeOf(key: string, now: number): number {
    return this.#buckets.placeOf(key, now, this.#queues)
  }

  #waitFor(key: string, cost: number, now: number): number {
    const ahead = this.#queues.get(key)?.costAhead() ?? 0
    const own = this.#buckets.nextOf(key, ahead + cost, now)
    const wait = Math.max(own, this.#parent?.dueAt(cost, 0, now) ?? own) - now
    return wait > SLACK ? wait : 0
  }

  /** The queue of a key, which pins its place in the table until no call waits. */
  #queue(key: string): WaitList<Admission> {
    const known = this.#queues.get(key)
    if (known !== undefined) return known
    const place = this.#placeOf(key, this.#clock.now())
    const queue = new WaitList(this.#gate(key, place), {
      name: this.name,
      clock: this.#alarms,
      maxQueue: this.#maxQueue,
    })
    if (this.#queues.size === 0) this.#parent?.watch(this.#onRelaxed)
    this.#queues.add(key, queue)
    return queue
  }

  #gate(key: string, place: number): Gate<Admission> {
    const buckets = this.#buckets
    const parent = this.#parent
    const inLine = new LinePlace<LimitPart>(() => this.#queues.get(key)?.serve())
    return {
      timed: true,
      dueAt: (cost, ahead, now) => {
        const own = buckets.dueAt(place, ahead + cost, now)
        return Math.max(own, parent?.dueAt(cost, ahead, now) ?? own)
      },
      lineUp: (head, now) => {
        const own = buckets.dueAt(place, head.cost, now)
        // For the parent it stands in line only when its own bucket is ready: it would keep others up.
        if (parent === undefined || own > now + SLACK) return own
        return parent.lineUp(head, key, now, inLine)
      },
      admit: ({ cost, since }: Waiter, now) => {
        buckets.take(place, cost, now)
        parent?.take(cost, now)
        inLine.leave()
        this.#granted += cost
        return { waited: now - since }
      },
      idle: () => {
        inLine.leave()
        this.#forget(key)
      },
    }
  }

  #forget(key: string): void {
    this.#queues.forget(key)
    if (this.#queues.size === 0) this.#parent?.unwatch(this.#onRelaxed)
  }

  readonly #onRelaxed = (): void => {
    for (const queue of this.#queues.list()) {
      queue.evict(({ cost }) => (this.#fits(cost) ? undefined : this.#badCost(cost)))
      queue.serve()
    }
  }

  get #maxCost(): number {
    const { burst } = this.#buckets
    return this.#parent === undefined ? burst : Math.min(burst, this.#parent.maxCost)
  }

  #fits(cost: number): boolean {
    return typeof cost === 'number' && cost >= 0 && cost <= this.#maxCost
  }

  #badCost(cost: number): InvalidOptionError {
    return new InvalidOptionError('cost', `a number from 0 to the burst of ${this.#maxCost}`, cost)
  }
}

describeStats<KeyedLimiterStats>(KeyedLimiter.prototype, KEYED_LIMITER_STATS_KINDS)
