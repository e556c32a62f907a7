import type { Facts } from '../facts/facts.ts'
import type { Graph } from '../graph/graph.ts'
import type { FileTable } from '../table/file-table.ts'
import type { TableFault } from '../table/table-faults.ts'

/**
 * What is wrong:
 * - `stale-stamp`: a file has other bytes than its stamp says, as after a write through `mmap`
 * - `missed-change`: the watcher vouched for a file that has changed
 * - `changed-content`, `changed-facts`, `changed-result`: a value that is shared was changed
 */
export type FindingProblem = TableFault['problem'] | 'changed-facts' | 'changed-result'

/** One inconsistency between levels, or with the disk. */
export interface WorkspaceFinding {
  readonly level: 'files' | 'facts' | 'graph'
  readonly problem: FindingProblem
  /** Absolute path of a file, `id` of facts, or name of a query. */
  readonly subject: string
}

/** What {@link inspect} found. */
export interface WorkspaceValidationReport {
  readonly findings: readonly WorkspaceFinding[]
  /** How many of them were mended, by forgetting what was wrong. */
  readonly repaired: number
  /** ms it took. */
  readonly elapsed: number
}

/** What is compared. */
export interface Levels {
  readonly files: FileTable
  readonly graph: Graph
  readonly facts: readonly Pick<Facts<unknown>, 'id' | 'changedValues' | 'forgetChangedValues'>[]
}

/** Compares the levels with each other and with the disk. O(bytes known). */
export function inspect(
  { files, graph, facts }: Levels,
  repair: boolean,
): WorkspaceValidationReport {
  const begun = performance.now()
  const findings: WorkspaceFinding[] = []
  let repaired = 0
  for (const { problem, path } of files.faults()) {
    findings.push({ level: 'files', problem, subject: path })
    if (!repair) continue
    files.forget(path)
    repaired++
  }
  for (const level of facts) {
    for (let left = level.changedValues(); left > 0; left--) {
      findings.push({ level: 'facts', problem: 'changed-facts', subject: level.id })
    }
    if (repair) repaired += level.forgetChangedValues()
  }
  for (const { query } of graph.changedValues()) {
    findings.push({ level: 'graph', problem: 'changed-result', subject: query })
  }
  if (repair) repaired += graph.forgetChangedValues()
  return { findings, repaired, elapsed: performance.now() - begun }
}
