import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { currentEpoch } from './current-epoch.ts'
import { isWhole } from './row-guard.ts'

/**
 * Deletes entries, and raises the horizon to what they refused; returns how many. Run it within a transaction.
 *
 * @param where condition on the columns of an entry
 * @param values of its parameters
 */
export function deleteRows(
  database: DatabaseSync,
  where: string,
  ...values: SQLInputValue[]
): number {
  const rows = database
    .prepare(
      `DELETE FROM entries_4 WHERE ${where} RETURNING iif(${isWhole}, barrier, NULL) AS barrier`,
    )
    .all(...values) as { barrier: number | null }[]
  let horizon = 0
  // What a damaged one refused is not known.
  for (const { barrier } of rows) horizon = Math.max(horizon, barrier ?? currentEpoch(database))
  if (horizon > 0) {
    database.prepare('UPDATE state_4 SET horizon = max(horizon, ?)').run(horizon)
  }
  return rows.length
}
