import type { SourceCaches } from './source-caches.ts'

/** What each level of an analysis has done so far. */
export interface Levels {
  /** Files answered for without being read. */
  readonly trusted: number
  readonly reads: number
  readonly parses: number
  /** Results found to hold. */
  readonly verified: number
  readonly computed: number
  /** Of the computed, those that came out the same, so that nothing beyond them was computed. */
  readonly cutoffs: number
}

export function levelsOf({ files, facts, graph }: SourceCaches): Levels {
  const { hits, reads } = files.stats()
  const { verified, computed, cutoffs } = graph.stats()
  return { trusted: hits, reads, parses: facts.stats().parses, verified, computed, cutoffs }
}
