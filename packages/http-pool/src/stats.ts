import type { Origin } from './connect/origin.ts'
import type { PoolCore } from './pool-core.ts'

/** Counts of one origin. */
export interface OriginStats {
  /** Open connections. */
  open: number
  /** Open connections without a request. */
  idle: number
  /** Attempts on a connection. */
  pending: number
  /** Attempts that wait for a connection. */
  queued: number
  /** Requests begun, since the start; cached answers and further attempts do not count. */
  requests: number
  /** Attempts begun. */
  attempts: number
  /** Further attempts after a failure or a status. */
  retries: number
  /** Requests sent again because their reused connection was dead; no part of `retries`. */
  resends: number
  /** Attempts that ended with an error. */
  failures: number
  /** Connects begun. */
  created: number
  /** Attempts that used a connection which had carried another before. */
  reused: number
}

/** Counts of a pool: sums over its origins, and what the origins share. */
export interface PoolStats extends OriginStats {
  /** Places for connections that are taken, those being opened and closed included. */
  connections: number
  /** Idle connections closed to make room for another origin. */
  evicted: number
  /** Retries and hedges that the budget allows now. */
  retryBudget: number
  /** Deadlines that are watched. */
  deadlines: number
  /** By `scheme://host:port`. */
  origins: Record<string, OriginStats>
}

export function poolStats(core: PoolCore): PoolStats {
  const sum: OriginStats = {
    open: 0,
    idle: 0,
    pending: 0,
    queued: 0,
    requests: 0,
    attempts: 0,
    retries: 0,
    resends: 0,
    failures: 0,
    created: 0,
    reused: 0,
  }
  const origins: Record<string, OriginStats> = Object.create(null)
  for (const origin of core.origins.values()) {
    const stats = originStats(origin)
    origins[origin.key] = stats
    for (const name of Object.keys(sum) as (keyof OriginStats)[]) sum[name] += stats[name]
  }
  return {
    ...sum,
    connections: core.sockets.taken,
    evicted: core.sockets.evicted,
    retryBudget: core.retryBudget?.balance(core.clock.now()) ?? 0,
    deadlines: core.deadlines.size,
    origins,
  }
}

function originStats(origin: Origin): OriginStats {
  return {
    open: origin.open,
    idle: origin.idle,
    pending: origin.inFlight,
    queued: origin.queued,
    ...origin.counters,
  }
}
