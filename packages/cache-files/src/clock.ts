/** Where time comes from: ms since 1970, on the clock that also stamps files. */
export interface Clock {
  now(): number
}

/** The system's clock. */
export const systemClock: Clock = { now: () => Date.now() }
