import { randomUUID } from 'node:crypto'
import type { Clock } from '@millrace/cache-core'
import { checkKey } from '@millrace/cache-core/store'
import type { LoadLease } from '@millrace/cache-core/tiered'
import {
  checkOptions,
  checkPositive,
  checkSignal,
  counters,
  describeStats,
  type OptionNames,
} from '@millrace/kit'
import { Subscription } from '../bus/subscription.ts'
import {
  CONNECTION_OPTIONS,
  CONNECTION_STATS_KINDS,
  Connection,
  type ConnectionOptions,
  type ConnectionStats,
} from '../connection/connection.ts'
import type { ConnectionTarget, TargetedNames } from '../connection/target.ts'
import { checkPrefix, DEFAULT_PREFIX, KeySpace } from '../protocol/key-space.ts'
import { type RedisLeaseHold, RenewedHold } from './lease-hold.ts'
import { dropLease, keepLease, takeLease } from './lease-scripts.ts'
import { LeaseWait, type Waiters } from './lease-wait.ts'

/** Options of a {@link RedisLease}, besides where Redis is. */
export interface RedisLeaseSettings extends ConnectionOptions {
  /** Beginning of its keys and its channel in Redis, a string without braces; that of the store will do. Default: `millrace:cache` */
  readonly prefix?: string | undefined
  /** ms after which the lease of a process that died ends, > 0. It is renewed while a load lasts. Default: 10,000 */
  readonly ttl?: number | undefined
  /** ms for which others wait for one who loads, > 0 and finite. Default: `ttl` */
  readonly waitTimeout?: number | undefined
}

/** Options of a {@link RedisLease}. */
export type RedisLeaseOptions = RedisLeaseSettings & ConnectionTarget

/** Counters of a {@link RedisLease}. */
export interface RedisLeaseStats extends ConnectionStats {
  /** Leases that this process got. */
  readonly acquired: number
  /** Leases that it holds now. */
  readonly held: number
  /** Leases that ran out while they were held. */
  readonly lost: number
  /** Times it waited for another's. */
  readonly waited: number
}

const LEASE_OPTIONS: TargetedNames<RedisLeaseSettings> = {
  ...CONNECTION_OPTIONS,
  prefix: true,
  ttl: true,
  waitTimeout: true,
}

/** Options of {@link RedisLease.acquire}. */
export interface LeaseCallOptions {
  /** Ends the wait, with its reason. */
  readonly signal?: AbortSignal | undefined
}

const ACQUIRE_OPTIONS: OptionNames<LeaseCallOptions> = { signal: true }

/** ms between two looks at a lease that another has, while messages do not arrive. */
const LOOK = 100
/** What Redis says of the time that a key has left which is not there. */
const GONE = -2

/**
 * A `LoadLease` in Redis or Valkey: while one process loads a key, the others wait, are woken when it is done, and take its value from
 * the store. One round trip more per load, and one to let go. A lease saves work and promises nothing: when it has run out, or Redis is
 * down, several may load. What may be stored is the fence's business.
 */
export class RedisLease implements LoadLease {
  readonly #connection: Connection
  readonly #space: KeySpace
  readonly #channel: string
  readonly #ttl: number
  readonly #waitTimeout: number
  readonly #clock: Clock
  readonly #holds = new Set<RenewedHold>()
  /** Those who wait, by the lease's full name. */
  readonly #waiters: Waiters = new Map()
  /** Begun by the first who waits. */
  #subscription: Subscription | undefined
  #listening = false
  /** The largest fencing token that this process was given. */
  #lastToken = 0
  #acquired = 0
  #lost = 0
  #waited = 0

  /** @throws {InvalidOptionError} */
  constructor(options: RedisLeaseOptions) {
    checkOptions<object>('', options, LEASE_OPTIONS)
    const { prefix = DEFAULT_PREFIX, ttl = 10_000, waitTimeout = ttl } = options
    checkPrefix(prefix)
    checkPositive('ttl', ttl)
    checkPositive('waitTimeout', waitTimeout)
    this.#connection = new Connection(options, options)
    this.#clock = this.#connection.clock
    this.#space = new KeySpace(prefix, this.#connection.client)
    this.#channel = `${this.#space.keyPrefix}${prefix}:lease`
    this.#ttl = Math.ceil(ttl)
    this.#waitTimeout = waitTimeout
  }

  /**
   * The hold if the key is free now; otherwise `undefined`, as soon as its holder lets go, or after `waitTimeout`.
   *
   * Rejects with `RedisTimeoutError`, `RedisUnavailableError` or the signal's reason.
   */
  async acquire(key: string, options: LeaseCallOptions = {}): Promise<RedisLeaseHold | undefined> {
    const { signal } = checkOptions('', options, ACQUIRE_OPTIONS)
    if (signal !== undefined) checkSignal('signal', signal)
    const { name, token } = this.#space.lease(checkKey(key))
    const holder = randomUUID()
    // Before it is asked for, so that no message is missed.
    const wait = new LeaseWait(this.#waiters, this.#space.keyPrefix + name)
    try {
      const end = this.#clock.now() + this.#waitTimeout
      const [taken, rest] = (await this.#connection.run('acquire', 1, signal, client =>
        takeLease.run(client, [name, token], [holder, this.#ttl, this.#lastToken + 1]),
      )) as [number, number]
      if (taken === 1) {
        this.#lastToken = Math.max(this.#lastToken, rest)
        const hold = this.#hold(name, holder, rest)
        // Closed meanwhile: it runs out, as those that were held then.
        if (this.#connection.closed) hold.abandon()
        return hold
      }
      this.#waited++
      this.#listen()
      await this.#await(name, wait, rest, end, signal)
      return undefined
    } finally {
      wait.end()
    }
  }

  stats(): RedisLeaseStats {
    return {
      acquired: this.#acquired,
      held: this.#holds.size,
      lost: this.#lost,
      waited: this.#waited,
      ...this.#connection.stats(),
    }
  }

  /** Closes the connection if the lease made it. Leases that are held run out; waits end with a `StoreClosedError`. */
  async close(): Promise<void> {
    for (const hold of this.#holds) hold.abandon()
    this.#subscription?.close()
    await this.#connection.close()
    // The look that it is told to take is refused.
    this.#lookAgain(false)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #hold(name: string, holder: string, token: number): RenewedHold {
    this.#acquired++
    const run = (operation: string, call: typeof keepLease, ...args: (string | number)[]) =>
      this.#connection.run(operation, 1, undefined, client => call.run(client, [name], args))
    const calls = {
      keep: async () => (await run('renew', keepLease, holder, this.#ttl)) === 1,
      drop: () => run('release', dropLease, holder, this.#channel),
    }
    const hold = new RenewedHold(token, this.#ttl, calls, this.#clock, () => {
      this.#holds.delete(hold)
    })
    hold.signal.addEventListener('abort', () => this.#lost++, { once: true })
    this.#holds.add(hold)
    return hold
  }

  /** Waits until the lease is free, asking for it when it should have run out or messages do not arrive. */
  async #await(
    name: string,
    wait: LeaseWait,
    rest: number,
    end: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    for (let left = rest; left !== GONE; ) {
      const patience = end - this.#clock.now()
      if (patience <= 0) return
      const pause = Math.min(patience, this.#listening && left > 0 ? left : LOOK)
      if (await wait.pause(pause, this.#clock, signal)) return
      left = await this.#connection.run('look', 1, signal, client => client.pttl(name))
    }
  }

  /** Messages arrive or do not any more: some may be lost. */
  #lookAgain(listening: boolean): void {
    this.#listening = listening
    for (const waiters of this.#waiters.values()) for (const wait of waiters) wait.look()
  }

  #listen(): void {
    // Nothing would end it any more.
    if (this.#connection.closed) return
    this.#subscription ??= new Subscription(this.#connection.client, [this.#channel], {
      onUp: () => this.#lookAgain(true),
      onDown: () => this.#lookAgain(false),
      // Looks go on as without.
      onRefused: () => undefined,
      onMessage: (_, name) => {
        for (const wait of this.#waiters.get(name) ?? []) wait.wake()
      },
    })
  }
}

describeStats<RedisLeaseStats>(RedisLease.prototype, {
  ...CONNECTION_STATS_KINDS,
  held: 'gauge',
  ...counters('acquired', 'lost', 'waited'),
})
