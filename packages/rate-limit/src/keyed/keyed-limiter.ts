import { AlarmClock } from '../alarm-clock.ts'
import { hasRefusalSubscribers, publishRefusal } from '../channels.ts'
import { type Clock, systemClock } from '../clock.ts'
import { InvalidOptionError, LimiterClosedError } from '../errors.ts'
import { type LimitPart, type MeteredLimiter, partOf } from '../limiter/metered-limiter.ts'
import { NO_WAIT } from '../limiter/no-wait.ts'
import type { AcquireOptions, Admission, Decision } from '../limiter/rate-limiter.ts'
import type { TokenBucketLimits } from '../meter/gcra.ts'
import { SLACK } from '../meter/meter.ts'
import { bound, nonNegative, positive, positiveInteger } from '../option-checks.ts'
import { checkAcquireOptions } from '../wait/check-acquire-options.ts'
import { LinePlace } from '../wait/line-place.ts'
import { type Gate, WaitList } from '../wait/wait-list.ts'
import type { Waiter } from '../wait/waiter.ts'
import { BucketTable } from './bucket-table.ts'
import { KeyQueues } from './key-queues.ts'

export interface KeyedLimiterOptions extends TokenBucketLimits {
  /** The most keys with a bucket that is not full; default 100,000. Beyond it the fullest of a sample is forgotten. */
  maxKeys?: number | undefined
  /** See {@link TokenBucketOptions.catchUp}; default 50 ms. */
  catchUp?: number | undefined
  /**
   * A limit over all keys together: what passes is taken from both, or from neither. Keys that wait for it have one caller
   * each in its line, so that its `order` shares it among them.
   */
  parent?: MeteredLimiter | undefined
  /** The most callers that may wait for one key; default Infinity. */
  maxQueue?: number | undefined
  /** In errors, statistics and diagnostics; default `'keyed-limiter'`. Keys appear in none of them. */
  name?: string | undefined
  clock?: Clock | undefined
}

export interface KeyedLimiterStats {
  /** Keys in memory. */
  keys: number
  maxKeys: number
  granted: number
  refused: number
  refunded: number
  /** Waits that outlasted their timeout, because others of higher priority came. */
  timeouts: number
  aborts: number
  /** Callers that wait now, over all keys. */
  waiting: number
  /** Keys forgotten while they still owed tokens, because `maxKeys` were in use. */
  evicted: number
}

/**
 * A token bucket per key, for users, hosts or API keys: bounded memory, no timer per key, O(1).
 *
 * The kernel repeats {@link Gcra} over a typed array instead of holding one object per key: 8 bytes instead of 150.
 */
export class KeyedLimiter {
  readonly name: string
  readonly #clock: Clock
  readonly #alarms: AlarmClock
  readonly #table: BucketTable
  readonly #queues = new KeyQueues()
  readonly #maxKeys: number
  readonly #maxQueue: number
  readonly #catchUp: number
  // Numbers from the start: see Gcra.
  #interval = 0
  #burst = 0
  #burstSpan = 0
  #backlogSpan = 0
  readonly #parent: LimitPart | undefined
  #granted = 0
  #refused = 0
  #refunded = 0
  #closed = false

  constructor({
    rate,
    burst,
    maxKeys = 100_000,
    catchUp = 50,
    maxQueue = Infinity,
    parent,
    name = 'keyed-limiter',
    clock = systemClock,
  }: KeyedLimiterOptions) {
    this.name = name
    this.#clock = clock
    this.#alarms = new AlarmClock(clock)
    this.#catchUp = nonNegative('catchUp', catchUp)
    this.#assign({ rate, burst })
    this.#maxKeys = positiveInteger('maxKeys', maxKeys)
    this.#maxQueue = bound('maxQueue', maxQueue)
    this.#table = new BucketTable(maxKeys)
    this.#parent = parent && partOf(parent)
  }

  /** Tokens per second and key. */
  get rate(): number {
    return 1_000 / this.#interval
  }

  /** The most tokens of a key. */
  get burst(): number {
    return this.#burst
  }

  /**
   * Takes `cost` tokens of the key if they are there and nobody waits for them.
   *
   * @throws {InvalidOptionError} if `cost` is more than a bucket can ever hold
   */
  tryAcquire(key: string, cost = 1): boolean {
    if (!this.#fits(cost)) throw this.#badCost(cost)
    const now = this.#clock.now()
    if (this.#take(key, cost, now)) return true
    this.#refused++
    if (hasRefusalSubscribers()) publishRefusal(this.name, cost, this.#waitFor(key, cost, now))
    return false
  }

  /** {@link tryAcquire} with all that a response header or a log line needs. */
  decide(key: string, cost = 1): Decision {
    const allowed = this.tryAcquire(key, cost)
    const now = this.#clock.now()
    const slot = this.#slotOf(key, now)
    const waiting = this.#queues.has(key)
    return {
      allowed,
      limit: this.#burst,
      remaining: waiting
        ? 0
        : Math.max(0, Math.min((now - slot) / this.#interval, this.#left(now))),
      resetAfter: Math.max(0, slot - now + this.#burstSpan),
      retryAfter: allowed ? 0 : this.#waitFor(key, cost, now),
    }
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
    const options = typeof first === 'object' ? first : second
    const cost = (typeof first === 'object' ? undefined : first) ?? options?.cost ?? 1
    if (!this.#fits(cost)) return Promise.reject(this.#badCost(cost))
    if (this.#closed) return Promise.reject(new LimiterClosedError(this.name))
    try {
      if (options !== undefined) checkAcquireOptions(options)
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
    if (!(cost >= 0 && cost <= this.#granted)) {
      throw new InvalidOptionError('cost', `a number from 0 to the ${this.#granted} granted`, cost)
    }
    const place = this.#table.find(key)
    // A key that is not known has a full bucket; its parent need not have.
    if (place !== undefined) this.#table.slots[place]! -= cost * this.#interval
    this.#granted -= cost
    this.#refunded += cost
    this.#parent?.refund(cost)
    this.#queues.get(key)?.serve()
  }

  /** Forgets what the key has spent; callers that wait for it are served at once. Returns whether it was known. */
  delete(key: string): boolean {
    const queue = this.#queues.get(key)
    if (queue === undefined) return this.#table.delete(key)
    this.#table.slots[this.#table.find(key)!] = this.#clock.now() - this.#burstSpan
    queue.serve()
    return true
  }

  /**
   * Changes rate and burst of every key at once, as {@link TokenBucket.setLimits} does. O(keys).
   */
  setLimits(limits: TokenBucketLimits): void {
    const now = this.#clock.now()
    const [interval, floor] = [this.#interval, now - this.#burstSpan]
    this.#assign(limits)
    const { slots } = this.#table
    for (let place = 0; place < slots.length; place++) {
      const tokens = (now - Math.max(slots[place]!, floor)) / interval
      slots[place] = now - Math.min(tokens, this.#burst) * this.#interval
    }
    this.#onRelaxed()
  }

  stats(): KeyedLimiterStats {
    const { waiting, refused, timeouts, aborts } = this.#queues.totals()
    return {
      keys: this.#table.size,
      maxKeys: this.#maxKeys,
      granted: this.#granted,
      refused: this.#refused + refused,
      refunded: this.#refunded,
      timeouts,
      aborts,
      waiting,
      evicted: this.#table.evicted,
    }
  }

  /** Rejects all who wait with {@link LimiterClosedError}, and {@link acquire} from now on. */
  [Symbol.dispose](): void {
    this.#closed = true
    for (const queue of this.#queues.list()) queue.close()
  }

  #take(key: string, cost: number, now: number): boolean {
    const floor = now - this.#burstSpan
    const table = this.#table
    const place = table.find(key) ?? table.add(key, floor, this.#queues)
    const slot = table.slots[place]!
    const next = Math.max(slot, floor) + cost * this.#interval
    if (next > now + SLACK) return false
    if (this.#queues.size !== 0 && this.#queues.has(key)) return false
    if (this.#parent !== undefined && !this.#takeFromParent(this.#parent, cost, now)) return false
    table.slots[place] = next
    this.#granted += cost
    return true
  }

  /** What the parent leaves to anybody. */
  #left(now: number): number {
    if (this.#parent === undefined) return Infinity
    return this.#parent.waiting ? 0 : this.#parent.meter.available(now)
  }

  #ready(parent: LimitPart, cost: number, now: number): boolean {
    return !parent.waiting && parent.meter.canTake(cost, now)
  }

  #takeFromParent(parent: LimitPart, cost: number, now: number): boolean {
    if (parent.waiting || !parent.meter.tryTake(cost, now)) return false
    parent.count(cost)
    return true
  }

  #slotOf(key: string, now: number): number {
    const floor = now - this.#burstSpan
    const place = this.#table.find(key)
    return place === undefined ? floor : Math.max(floor, this.#table.slots[place]!)
  }

  #waitFor(key: string, cost: number, now: number): number {
    const ahead = this.#queues.get(key)?.costAhead() ?? 0
    const own = this.#slotOf(key, now) + (ahead + cost) * this.#interval
    const wait = Math.max(own, this.#parent?.meter.dueAt(cost, 0, now) ?? own) - now
    return wait > SLACK ? wait : 0
  }

  /** The queue of a key, which pins its place in the table until nobody waits. */
  #queue(key: string): WaitList<Admission> {
    const known = this.#queues.get(key)
    if (known !== undefined) return known
    const now = this.#clock.now()
    const place = this.#table.find(key) ?? this.#table.add(key, now - this.#burstSpan, this.#queues)
    const inLine = new LinePlace(() => queue.serve())
    const gate: Gate<Admission> = {
      timed: true,
      dueAt: (cost, ahead, at) => {
        const base = Math.max(this.#table.slots[place]!, at - this.#backlogSpan)
        const own = base + (ahead + cost) * this.#interval
        return Math.max(own, this.#parent?.meter.dueAt(cost, ahead, at) ?? own)
      },
      lineUp: (head, at) => {
        const base = Math.max(this.#table.slots[place]!, at - this.#backlogSpan)
        const own = base + head.cost * this.#interval
        const called = inLine.takeTurn()
        const parent = this.#parent
        // For the parent it stands in line only when its own bucket is ready: it would keep others up.
        if (parent === undefined || own > at + SLACK) return own
        if (
          called
            ? parent.meter.dueAt(head.cost, 0, at) <= at + SLACK
            : this.#ready(parent, head.cost, at)
        )
          return at
        inLine.stand(head, key, parent)
        return Infinity
      },
      admit: ({ cost, since }: Waiter, at) => {
        const slot = Math.max(this.#table.slots[place]!, at - this.#backlogSpan)
        this.#table.slots[place] = slot + cost * this.#interval
        this.#granted += cost
        if (this.#parent !== undefined) {
          if (!this.#parent.meter.tryTake(cost, at)) this.#parent.meter.take(cost, at)
          this.#parent.count(cost)
        }
        return { waited: at - since }
      },
      idle: () => {
        inLine.leave()
        this.#forget(key)
      },
    }
    const queue = new WaitList(gate, {
      name: this.name,
      clock: this.#alarms,
      maxQueue: this.#maxQueue,
    })
    if (this.#queues.size === 0) this.#parent?.watch(this.#onRelaxed)
    this.#queues.add(key, queue)
    return queue
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

  #assign({ rate, burst = Math.max(1, rate) }: TokenBucketLimits): void {
    const interval = 1_000 / positive('rate', rate)
    this.#burst = positive('burst', burst)
    this.#interval = interval
    this.#burstSpan = burst * interval
    this.#backlogSpan = Math.max(this.#burstSpan, this.#catchUp)
  }

  #fits(cost: number): boolean {
    if (typeof cost !== 'number' || !(cost >= 0 && cost <= this.#burst)) return false
    return this.#parent === undefined || cost <= this.#parent.meter.maxCost
  }

  #badCost(cost: number): InvalidOptionError {
    const most = Math.min(this.#burst, this.#parent?.meter.maxCost ?? this.#burst)
    return new InvalidOptionError('cost', `a number from 0 to the burst of ${most}`, cost)
  }
}
