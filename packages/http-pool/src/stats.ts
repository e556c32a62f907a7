import { addTo, type Counters } from './connect/counters.ts'
import type { Origin } from './connect/origin.ts'
import type { PoolCore } from './shared/pool-core.ts'

/** What an origin has at present, and its counts. */
export interface OriginStats extends Counters {
  /** Open connections. */
  open: number
  /** Open connections without a request. */
  idle: number
  /** Attempts on a connection. */
  pending: number
  /** Attempts that wait for a connection. */
  queued: number
}

/** Counts of one origin, and the state of what guards it. */
export interface GuardedOriginStats extends OriginStats {
  /** 0 closed, 1 half-open, 2 open. */
  breaker: number
  /** How often the breaker has opened. */
  breakerOpened: number
  /** Requests rejected by the client-side throttle. */
  throttled: number
  /** Tokens of the brake on retries; none are made at half of `hostTokens` and below. */
  retryTokens: number
}

/** Counts of a pool: sums over its origins, the forgotten ones included, and what the origins share. */
export interface PoolStats extends OriginStats {
  /** Places for connections that are taken, those being opened and closed included. */
  connections: number
  /** Idle connections closed to make room for another origin. */
  evicted: number
  /** Requests that shared the response of another. */
  coalesced: number
  /** Calls that the cache answered without a request, fresh or stale. */
  cached: number
  /** Calls of the cache's store that failed. */
  storeFailures: number
  /** Retries and hedges that the budget allows now. */
  retryBudget: number
  /** Deadlines that are watched. */
  deadlines: number
  /** By `scheme://host:port`. Beyond 1,000, those that nothing uses are forgotten. */
  origins: Record<string, GuardedOriginStats>
}

export function poolStats(core: PoolCore): PoolStats {
  const sum: OriginStats = { open: 0, idle: 0, pending: 0, queued: 0, ...core.forgotten }
  const origins: Record<string, GuardedOriginStats> = Object.create(null)
  for (const origin of core.origins.values()) {
    const stats = originStats(origin)
    origins[origin.key] = stats
    addTo<OriginStats>(sum, stats)
  }
  return {
    ...sum,
    connections: core.sockets.taken,
    evicted: core.sockets.evicted,
    coalesced: core.coalescer?.joined ?? 0,
    cached: core.cached,
    storeFailures: core.store?.failures ?? 0,
    retryBudget: core.retryBudget.balance(core.clock.now()),
    deadlines: core.deadlines.size,
    origins,
  }
}

function originStats(origin: Origin): GuardedOriginStats {
  return {
    open: origin.open,
    idle: origin.idle,
    pending: origin.inFlight,
    queued: origin.queued,
    ...origin.counters,
    breaker: BREAKER_LEVELS[origin.guard?.breaker?.state ?? 'closed'],
    breakerOpened: origin.guard?.breaker?.opened ?? 0,
    throttled: origin.guard?.throttle?.rejected ?? 0,
    retryTokens: origin.guard?.brake?.tokens ?? 0,
  }
}

const BREAKER_LEVELS = { closed: 0, 'half-open': 1, open: 2 } as const
