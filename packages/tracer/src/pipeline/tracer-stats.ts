/** A snapshot of a tracer's counters since it was made. */
export interface TracerStats {
  /** Recorded spans started. */
  started: number
  /** Recorded spans ended. */
  ended: number
  /** Spans that found the pool empty or were on the plain path. */
  unpooled: number
  /** Records of the pool that no span occupies. */
  poolFree: number
  /** Calls on spans that had ended. */
  lateCalls: number
  /** Ended spans not yet handed to the exporter. */
  waiting: number
  /** Ended spans whose trace tail sampling has not decided yet. */
  held: number
  /** Ended spans of traces that tail sampling did not keep. */
  rejected: number
  /** Spans delivered by the exporter. */
  exported: number
  /** Spans given up: full queue, refused, retries used up, or ended after close. */
  dropped: number
  /** Spans in the exporter's queue. */
  queued: number
  /** Bytes of the exporter's queue. */
  queuedBytes: number
  /** Milliseconds spent encoding. */
  encoding: number
  /** Share of one core that tracing used in the last second measured; 0 without a budget. */
  overhead: number
  /** Share of new traces that the budget allows; 1 without one. */
  allowed: number
  /** Percentage of traces on the pooled path. */
  optimized: number
}
