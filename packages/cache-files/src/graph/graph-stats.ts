/** Counters of a `Graph`. */
export interface GraphStats {
  /** Traces held. */
  readonly nodes: number
  /** Values held. */
  readonly results: number
  /** Looks at the world. */
  readonly revisions: number
  /** Results found to be good without computing. */
  readonly verified: number
  /** Results computed. */
  readonly computed: number
  /** Of the {@link computed}, those that came out the same, so that nothing that depends on them was computed. */
  readonly cutoffs: number
  /** Queries that threw, or took too long. */
  readonly failures: number
  /** Looks begun anew because a file changed in the middle. */
  readonly conflicts: number
  /** Traces found in the store. */
  readonly storeHits: number
  /** Reads and writes of the store that failed. */
  readonly storeFailures: number
}
