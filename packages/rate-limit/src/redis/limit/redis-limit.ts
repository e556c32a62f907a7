import {
  type Clock,
  checkClock,
  checkInteger,
  checkOneOf,
  checkText,
  counters,
  gauges,
  monotonicClock,
  type OptionNames,
  type StatsKinds,
} from '@millrace/kit'
import type { RedisClient } from '../client/redis-client.ts'
import { StoreGuard, type StoreGuardOptions } from '../client/store-guard.ts'
import { type StateLives, StoreClocks } from '../clock/store-clocks.ts'
import type { Ledger } from '../outage/ledger.ts'
import { Outage } from '../outage/outage.ts'
import type { OutageMode } from '../outage/outage-mode.ts'
import { Peers } from '../outage/peers.ts'

/** Options that every limit on Redis has. */
export interface RedisLimitOptions extends StoreGuardOptions {
  /** An ioredis `Redis` or `Cluster`. It is not closed with the limiter. */
  readonly client: RedisClient
  /** Which limit: processes that give the same id share it. */
  readonly id: string
  /** Before the id in Redis. Default: `'millrace:limit'` */
  readonly prefix?: string | undefined
  /**
   * As how many processes this one counts itself, if it has not heard of more, until it has heard from Redis for three seconds,
   * for its share of the limit while Redis is not available. Default: 8
   */
  readonly processes?: number | undefined
  /** In errors, statistics and diagnostics. Default: the id */
  readonly name?: string | undefined
  /** Source of time in this process; Redis has its own. Default: the process' monotonic clock */
  readonly clock?: Clock | undefined
}

/** The names of {@link RedisLimitOptions}. */
export const REDIS_LIMIT_OPTIONS: OptionNames<RedisLimitOptions> = {
  client: true,
  id: true,
  prefix: true,
  processes: true,
  name: true,
  clock: true,
  timeout: true,
  breaker: true,
}

/** Statistics that every limit on Redis has. */
export interface RedisLimitStats {
  /** Calls to Redis. */
  trips: number
  /** Calls that Redis did not answer, or that were not made because it was known to be down. */
  unavailable: number
  /** 1 while Redis is not available, else 0. */
  down: number
  /** Permits that passed, or were released, without Redis and that it does not know of yet. */
  unsettled: number
  /** Processes that share the limit, as counted last. */
  processes: number
  /** 1 once other settings than this process' have been found to rule the limit, else 0. */
  overruled: number
}

/** What the numbers of {@link RedisLimitStats} are. */
export const REDIS_LIMIT_STATS_KINDS: StatsKinds<RedisLimitStats> = {
  ...gauges('down', 'unsettled', 'processes', 'overruled'),
  ...counters('trips', 'unavailable'),
}

/** How a kind of limit gets along without Redis. */
export interface RedisLimitRules<Mode extends OutageMode, Debt> {
  readonly whenDown: Mode
  /** The modes that it has. */
  readonly modes: readonly Mode[]
  /** Those of them in which it is divided among the processes. */
  readonly divided: readonly Mode[]
  readonly ledger: Ledger<Debt>
  /** The store's clocks, where they are known by another limiter, or how long its states live. */
  readonly clocks: StoreClocks | StateLives
}

/** Default of {@link RedisLimitOptions.processes}: too many cost some rate, too few let a fleet exceed its limit. */
const UNHEARD_PROCESSES = 8

/** What all limits on Redis are made with: the guarded connection, the count of processes, the way around an outage. */
export class RedisLimit<Mode extends OutageMode, Debt> {
  readonly name: string
  readonly clock: Clock
  readonly id: string
  readonly prefix: string
  readonly guard: StoreGuard
  readonly clocks: StoreClocks
  readonly peers: Peers
  readonly outage: Outage<Mode, Debt>
  #overruled = 0

  constructor(options: RedisLimitOptions, rules: RedisLimitRules<Mode, Debt>) {
    const { client, id, prefix = 'millrace:limit', processes = UNHEARD_PROCESSES } = options
    const { name = id, clock = monotonicClock } = options
    this.id = checkText('id', id)
    this.name = checkText('name', name)
    this.prefix = checkText('prefix', prefix)
    this.clock = checkClock('clock', clock)
    const mode = checkOneOf('whenDown', rules.whenDown, rules.modes)
    checkInteger('processes', processes, 1)
    this.guard = new StoreGuard(client, name, clock, options)
    const { guard, key } = this
    const { clocks } = rules
    this.clocks =
      clocks instanceof StoreClocks ? clocks : new StoreClocks({ clock, key, lives: clocks })
    this.peers = new Peers(`${key}:peers`, guard, clock, {
      expected: processes,
      heard: (key, answer) => this.clocks.heard(guard, key, answer),
    })
    this.outage = new Outage({
      mode,
      ledger: rules.ledger,
      peers: rules.divided.includes(mode) ? this.peers : undefined,
      guard,
      clock,
    })
  }

  /** What all keys in Redis begin with. The braces put them into one slot of a Cluster. */
  get key(): string {
    return `${this.prefix}:{${this.id}}`
  }

  stats(): RedisLimitStats {
    return {
      trips: this.guard.trips,
      unavailable: this.guard.unavailable,
      down: this.guard.down ? 1 : 0,
      unsettled: this.outage.owed,
      processes: this.peers.counted,
      overruled: this.#overruled,
    }
  }

  /**
   * Warns, once, that processes disagree: the settings of the one heard of last rule.
   *
   * @param ruling the settings that rule, as a phrase
   */
  overruled(ruling: string): void {
    if (this.#overruled === 1) return
    this.#overruled = 1
    process.emitWarning(
      `Limit "${this.name}" follows the settings of a process that was started later: ${ruling}`,
      { type: 'MillraceWarning', code: 'MILLRACE_LIMIT_OVERRULED' },
    )
  }
}
