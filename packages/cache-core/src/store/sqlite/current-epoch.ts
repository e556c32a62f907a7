import type { DatabaseSync } from 'node:sqlite'
import { wholeEpoch } from './entry-rows.ts'
import { epochOfState } from './row-guard.ts'

/**
 * The epoch of a file, by a statement that is prepared for it.
 *
 * @throws {DamagedError} if it is not what was written
 */
export function currentEpoch(database: DatabaseSync): number {
  const statement = database.prepare(`SELECT ${epochOfState} FROM state_4`)
  statement.setReturnArrays(true)
  return wholeEpoch(statement.get())
}
