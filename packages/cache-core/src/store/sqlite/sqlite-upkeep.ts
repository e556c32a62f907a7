import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { currentEpoch } from './current-epoch.ts'
import { deleteRows } from './delete-rows.ts'
import { isGuarded, isWhole, tagged } from './row-guard.ts'
import { DamagedError, logBytes } from './sqlite-file.ts'

/** How many invalidated tags are remembered by name before they are applied to all rows; see {@link SqliteUpkeep.sweep}. */
const REMEMBERED_TAGS = 16_384

/** What is done to a file beside its entries being read and written: its times, its size, and what it holds in vain. */
export class SqliteUpkeep {
  readonly #database: DatabaseSync
  readonly #touch: StatementSync

  constructor(database: DatabaseSync) {
    this.#database = database
    this.#touch = database.prepare(
      `UPDATE entries_4 SET used = ? WHERE key = ? AND used < ? AND ${isWhole}`,
    )
  }

  /** The latest time of any process that was noted, in ms. */
  time(): number {
    const { time } = this.#database.prepare('SELECT time FROM state_4').get() as { time: number }
    return time
  }

  /** By how many ms the time leads the wall clock, as any process noted. */
  lead(): number {
    const { lead } = this.#database.prepare('SELECT lead FROM state_4').get() as { lead: number }
    return lead
  }

  /** Notes that, in whole seconds, unless more is noted. Run it within a transaction. */
  noteLead(lead: number): void {
    if (lead <= this.lead()) return
    this.#database.prepare('UPDATE state_4 SET lead = ?').run(Math.ceil(lead / 1_000) * 1_000)
  }

  /** Notes that keys were read, and the time. Run it within a transaction. */
  touch(keys: Iterable<string>, now: number): void {
    for (const key of keys) this.#touch.run(now, key, now)
    this.#database.prepare('UPDATE state_4 SET time = ? WHERE time < ?').run(now, now)
  }

  /** Values, and what they count against the store's limit. O(rows). */
  totals(): { entries: number; bytes: number } {
    return this.#database
      .prepare(
        `SELECT count(value) AS entries, ifnull(sum(iif(${isWhole}, size, 0)), 0) AS bytes FROM entries_4`,
      )
      .get() as { entries: number; bytes: number }
  }

  /**
   * Looks whether the invalidations are what was written: by a name that a flipped bit made another one they would not be found.
   * O(tags).
   *
   * @throws {DamagedError} if they are not
   */
  verify(): void {
    currentEpoch(this.#database)
    const bad = this.#database
      .prepare(`SELECT 1 FROM tags_4 WHERE copy <> name OR NOT ${isGuarded('tags_4')} LIMIT 1`)
      .get()
    const [{ quick_check: answer }] = this.#database
      .prepare("PRAGMA quick_check('tags_4')")
      .all() as [{ quick_check: string }]
    if (bad !== undefined || answer !== 'ok') throw new DamagedError()
  }

  /** Removes what is gone by time or by tag, or damaged. O(rows). Run it within a transaction. */
  sweep(now: number): void {
    this.verify()
    const database = this.#database
    // A damaged row is not read, and refuses what is loaded for its key.
    deleteRows(database, `retained <= ? OR NOT ${isWhole}`, now)
    deleteRows(database, tagged('deleted'))
    const { tags } = database.prepare('SELECT count(*) AS tags FROM tags_4').get() as {
      tags: number
    }
    if (tags <= REMEMBERED_TAGS) return
    database.exec(
      `UPDATE entries_4 SET expires = 0 WHERE ${tagged('expired')};
       DELETE FROM tags_4;
       UPDATE state_4 SET horizon = epoch`,
    )
  }

  /**
   * Deletes the least recently used values until their sizes sum up to `bytes` at most, of which the most recent one is in any case kept;
   * returns how many. O(rows log rows). Run it within a transaction.
   */
  evictTo(bytes: number): number {
    return deleteRows(
      this.#database,
      `value IS NOT NULL AND key IN (
         SELECT key FROM (
           SELECT key, sum(iif(${isWhole}, size, 0)) OVER newest AS total, row_number() OVER newest AS place FROM entries_4
           WHERE value IS NOT NULL WINDOW newest AS (ORDER BY used DESC, version DESC, key)
         ) WHERE total > ? AND place > 1)`,
      bytes,
    )
  }

  /** As {@link logBytes}. */
  logBytes(): number | undefined {
    return logBytes(this.#database)
  }

  /** Gives free pages back to the file system. */
  shrink(): void {
    this.#database.exec('PRAGMA incremental_vacuum')
  }
}
