import type { ResultCounts } from '../analyse/analyse-sources.ts'
import type { TreeNow } from '../analyse/present-tree.ts'
import type { Stage } from './stage-clock.ts'

/** Everything a run has to say, as plain data: what `/report` serves and the terminal shows. */
export interface Report {
  readonly directory: string
  /** `cold`: nothing was cached; `warm`: everything was; `mixed`: something changed. */
  readonly temperature: 'cold' | 'warm' | 'mixed'
  /** Why the run took as long as it did, in sentences. */
  readonly reasons: readonly string[]
  /** What went wrong and what was done instead, one line each. */
  readonly notices: readonly string[]
  readonly sources: SourceCounts
  readonly results: ResultCounts
  readonly packages: PackageCounts
  readonly stages: readonly Stage[]
  /** From the first stage to the report, in ms. */
  readonly total: number
  readonly caches: readonly CacheLine[]
  readonly limiter: LimiterLine
  readonly connections: ConnectionLine
  readonly operations: readonly OperationLine[]
  /** Lines of the slowest trace. */
  readonly slowest: readonly string[]
  /** The tree as it is now; everything else is of the run. Undefined in a report of a run that has just ended. */
  readonly now?: TreeNow
}

export interface SourceCounts {
  readonly files: number
  readonly bytes: number
  readonly lines: number
  /** Answered by a stat alone. */
  readonly unchanged: number
  /** Read, and found to have the same bytes as before. */
  readonly touched: number
  /** Read, and found to have the same bytes as another file of this run. */
  readonly copies: number
  readonly parsed: number
  readonly unreadable: number
  readonly syntaxErrors: number
}

export interface PackageCounts {
  readonly met: number
  readonly described: number
  readonly absent: number
  readonly failed: number
  /** Edges of the import graph between packages. */
  readonly edges: number
  readonly internalImports: number
  readonly builtinImports: number
}

interface CacheLine {
  readonly name: string
  readonly hits: number
  readonly misses: number
}

interface LimiterLine {
  readonly granted: number
  readonly waits: number
  /** ms over all waits. */
  readonly waited: number
  /** Requests per second. */
  readonly rate: number
}

interface ConnectionLine {
  readonly opened: number
  readonly reused: number
  readonly requests: number
  readonly retries: number
}

/** Times in ms. */
interface OperationLine {
  readonly name: string
  readonly count: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
}
