import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { deleteRows } from './delete-rows.ts'
import {
  type EntryRow,
  type EntryWrite,
  EPOCH,
  entryRow,
  type KeyRow,
  type Lookup,
  type LookupColumns,
  type RowColumns,
  wholeEpoch,
} from './entry-rows.ts'
import { ADMITTED, PUT, PUT_ADMITTED, STRANGE } from './put-statements.ts'
import { sealed } from './row-checksum.ts'
import { epochOfState, isGuarded, isLive, tagged } from './row-guard.ts'
import { DamagedError } from './sqlite-file.ts'
import { SqliteUpkeep } from './sqlite-upkeep.ts'

/** How long a deleted key is remembered by name, in ms; after that, fences older than its deletion are outdated. */
const TOMBSTONE_LIFE = 60_000

/**
 * The rows of a {@link SqliteStore} and what is done to them. A read is one statement, so one snapshot, whatever other processes
 * commit meanwhile; what needs several runs within {@link transaction}, {@link readMany} within one of its own. A deleted key leaves a row without
 * value (a tombstone) that refuses what was computed before; when it goes, the horizon takes its place.
 */
export class SqliteEntries {
  readonly #database: DatabaseSync
  /** What is done to all rows at once, or by the way. */
  readonly upkeep: SqliteUpkeep
  readonly #begin: StatementSync
  readonly #beginImmediate: StatementSync
  readonly #commit: StatementSync
  readonly #read: StatementSync
  readonly #lookup: StatementSync
  readonly #epoch: StatementSync
  readonly #admits: StatementSync
  readonly #put: StatementSync
  readonly #putAdmitted: StatementSync
  readonly #strange: StatementSync
  readonly #advance: StatementSync
  readonly #bury: StatementSync
  readonly #stale: StatementSync
  readonly #deleteTag: StatementSync
  readonly #expireTag: StatementSync

  constructor(database: DatabaseSync) {
    this.#database = database
    this.upkeep = new SqliteUpkeep(database)
    // An object with names costs as much as the rest of a read. Benchmark cases: tiers "SQLite read" and "memory over a file, mixed".
    const prepare = (sql: string): StatementSync => {
      const statement = database.prepare(sql)
      statement.setReturnArrays(true)
      return statement
    }
    this.#begin = database.prepare('BEGIN')
    this.#beginImmediate = database.prepare('BEGIN IMMEDIATE')
    this.#commit = database.prepare('COMMIT')
    const columns = `version, retained, used, tags, value,
      iif(expires <> 0 AND ${tagged('expired')}, 0.0, expires) AS expires`
    const ofKey = `key = ? AND ${isLive} AND NOT ${tagged('deleted')}`
    this.#read = prepare(`SELECT ${columns} FROM entries_4 WHERE ${ofKey}`)
    this.#lookup = prepare(
      `SELECT ${columns}, state.epoch FROM (SELECT ${epochOfState} AS epoch FROM state_4) AS state
       LEFT JOIN entries_4 ON ${ofKey}`,
    )
    this.#epoch = prepare(`SELECT ${epochOfState} FROM state_4`)
    this.#put = database.prepare(PUT)
    this.#admits = prepare(ADMITTED)
    this.#putAdmitted = database.prepare(PUT_ADMITTED)
    this.#strange = prepare(STRANGE)
    this.#advance = prepare(
      `UPDATE state_4 SET epoch = epoch + 1 WHERE ${isGuarded('state_4')} RETURNING epoch`,
    )
    this.#bury = database.prepare(`
      INSERT INTO entries_4 (key, version, barrier, expires, retained, used, size)
      VALUES (?, 0, ?, 0, ?, 0, 0)
      ON CONFLICT (key) DO UPDATE SET version = 0, barrier = excluded.barrier, expires = 0,
        retained = excluded.retained, used = 0, size = 0, tags = NULL, value = NULL`)
    this.#stale = database.prepare('UPDATE entries_4 SET expires = 0, barrier = ? WHERE key = ?')
    this.#deleteTag = database.prepare(`
      INSERT INTO tags_4 (name, deleted, expired) VALUES (?, ?, 0)
      ON CONFLICT (name) DO UPDATE SET deleted = excluded.deleted`)
    this.#expireTag = database.prepare(`
      INSERT INTO tags_4 (name, deleted, expired) VALUES (?, 0, ?)
      ON CONFLICT (name) DO UPDATE SET expired = excluded.expired`)
  }

  close(): void {
    this.#database.close()
  }

  epoch(): number {
    return wholeEpoch(this.#epoch.get())
  }

  /** The row of a key unless it is gone; `expires` is 0 if it was expired. One statement. */
  read(key: string, now: number): EntryRow | undefined {
    const row = this.#read.get(key, now) as unknown as RowColumns | undefined
    return row && entryRow(row)
  }

  /** The rows of several keys and the epoch, of one snapshot. */
  lookup(keys: readonly string[], now: number): Lookup {
    if (keys.length !== 1) {
      return this.#within(this.#begin, () => ({
        epoch: this.epoch(),
        rows: keys.map(key => this.read(key, now)),
      }))
    }
    // One statement, as a load of one key is what is read most. Benchmark case: tiers "memory over a file, mixed".
    const found = this.#lookup.get(keys[0]!, now) as unknown as LookupColumns | undefined
    const epoch = wholeEpoch([found?.[EPOCH]])
    const row = found![0] === null ? undefined : entryRow(found as unknown as RowColumns)
    return { epoch, rows: [row] }
  }

  /** The rows of several keys, of one snapshot. */
  readMany(keys: readonly string[], now: number): (EntryRow | undefined)[] {
    if (keys.length === 1) return [this.read(keys[0]!, now)]
    return this.#within(this.#begin, () => keys.map(key => this.read(key, now)))
  }

  /** Writes a value that outdates the fences before `version`. Run it within {@link transaction}. */
  write(
    { key, value, size, expires, retained, tags }: EntryWrite,
    version: number,
    now: number,
  ): void {
    const checked = sealed(value, { key, tags, version, expires, retained })
    this.#put.run(key, version, version, expires, retained, now, size, tags, checked)
  }

  /**
   * Whether a value was written whose fence was taken at an epoch. One statement, as loads are what is written most.
   *
   * @throws {DamagedError} if it is refused for a row that is another key's
   */
  writeFenced(write: EntryWrite, fence: number, now: number): boolean {
    const { key, value, size, expires, retained, tags } = write
    const checked = sealed(value, { key, tags, version: fence, expires, retained })
    const { changes } = this.#putAdmitted.run(
      key,
      fence,
      tags,
      now,
      expires,
      retained,
      size,
      checked,
    )
    if (changes === 1) return true
    // No write would mend it.
    if (this.#strange.get(key) !== undefined) throw new DamagedError()
    return false
  }

  /** As both for a value that is too large to be kept: an older one goes if this one outdates it. Run it within {@link transaction}. */
  refuse({ key, tags, epoch }: EntryWrite, now: number): void {
    if (epoch === undefined) this.invalidate(key, false, now)
    else if (this.#admits.get(key, epoch, tags, now) !== undefined) {
      deleteRows(this.#database, 'key = ? AND value IS NOT NULL', key)
    }
  }

  /** Deletes a value or makes it stale, and remembers that; whether there was one. Run it within {@link transaction}. */
  invalidate(key: string, expire: boolean, now: number): boolean {
    const there = this.read(key, now) !== undefined
    const epoch = this.nextEpoch()
    if (there && expire) this.#stale.run(epoch, key)
    else this.#bury.run(key, epoch, now + TOMBSTONE_LIFE)
    return there
  }

  /** Run it within {@link transaction}. */
  invalidateTag(tag: string, expire: boolean): void {
    const statement = expire ? this.#expireTag : this.#deleteTag
    statement.run(tag, this.nextEpoch())
  }

  /** Run it within {@link transaction}. */
  clear(expire: boolean): void {
    this.#run(`UPDATE state_4 SET ${expire ? 'expired' : 'cleared'} = ?`, this.nextEpoch())
    if (expire) {
      // Each row, as a mark would have to be looked at by every read.
      this.#run('UPDATE entries_4 SET expires = 0 WHERE value IS NOT NULL')
      return
    }
    // What these rows refused is older than `cleared` and refused by it.
    this.#run('DELETE FROM entries_4')
    this.#run('DELETE FROM tags_4')
  }

  /** Number of the newest row. A key that is written again keeps its row, one that is new gets a higher one. */
  newestRow(): number {
    const { row } = this.#database.prepare('SELECT max(rowid) AS row FROM entries_4').get() as {
      row: number | null
    }
    return row ?? 0
  }

  /** Keys of live rows above one row and up to another. One statement. */
  keysBetween(row: number, last: number, limit: number, now: number): KeyRow[] {
    return this.#database
      .prepare(
        `SELECT rowid AS row, key FROM entries_4 WHERE rowid > ? AND rowid <= ?
          AND ${isLive} AND NOT ${tagged('deleted')} ORDER BY rowid LIMIT ?`,
      )
      .all(row, last, now, limit) as unknown as KeyRow[]
  }

  /**
   * An older state of the file was put in its place: what was invalidated since is not known there, so nothing of it is served, and no
   * fence passes. Run it within {@link transaction}.
   *
   * @param epoch later than any that was given out
   */
  startOver(epoch: number): void {
    this.#run('UPDATE state_4 SET epoch = ?', epoch)
    this.clear(false)
  }

  /** Removes a row whose value cannot be read, unless it was replaced meanwhile. Run it within {@link transaction}. */
  discard(key: string, version: number): void {
    deleteRows(this.#database, 'key = ? AND version = ? AND value IS NOT NULL', key, version)
  }

  /** Runs `work` atomically; other processes wait for it. */
  transaction<T>(work: () => T): T {
    return this.#within(this.#beginImmediate, work)
  }

  #within<T>(begin: StatementSync, work: () => T): T {
    begin.run()
    try {
      const result = work()
      this.#commit.run()
      return result
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  /** Run it within {@link transaction}. */
  nextEpoch(): number {
    return wholeEpoch(this.#advance.get())
  }

  #run(sql: string, ...values: SQLInputValue[]): void {
    this.#database.prepare(sql).run(...values)
  }
}
