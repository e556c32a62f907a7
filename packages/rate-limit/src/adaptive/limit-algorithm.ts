/** What was seen over one window of finished calls. */
export interface LoadSample {
  /** Mean duration of the calls that count, in ms. */
  readonly rtt: number
  /** The most calls that were inside at once. */
  readonly inflight: number
  /** Whether any call was dropped: timed out, or refused by an overloaded peer. */
  readonly dropped: boolean
}

/** Computes how many calls may be inside at once, from window to window. One instance serves one limiter. */
export interface LimitAlgorithm {
  /** @returns the new limit, which need not be whole nor within the limiter's bounds */
  update(limit: number, sample: LoadSample): number
}
