/** What an origin or a pool has counted since the start. */
export interface Counters {
  /** Requests begun; cached answers and further attempts do not count. */
  requests: number
  /** Attempts begun. */
  attempts: number
  /** Further attempts after a failure or a status. */
  retries: number
  /** Requests sent again because their reused connection was dead; no part of `retries`. */
  resends: number
  /** Second attempts beside a slow one. */
  hedges: number
  /** Those whose answer came first. */
  hedgesWon: number
  /** Attempts that ended with an error. */
  failures: number
  /** Connects begun. */
  created: number
  /** Attempts that used a connection which had carried another before. */
  reused: number
}

export function zeroCounters(): Counters {
  return {
    requests: 0,
    attempts: 0,
    retries: 0,
    resends: 0,
    hedges: 0,
    hedgesWon: 0,
    failures: 0,
    created: 0,
    reused: 0,
  }
}

/** Adds to each number of `sum` the one of the same name. */
export function addTo<T extends object>(sum: T, more: T): void {
  const target = sum as Record<string, number>
  for (const name in target) target[name]! += (more as Record<string, number>)[name]!
}
