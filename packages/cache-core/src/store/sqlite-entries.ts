import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'

/** A value as its row holds it. */
export interface EntryRow {
  readonly version: number
  readonly expires: number
  readonly retained: number
  readonly tags: string | null
  readonly value: Uint8Array
}

/** What a `set` writes. */
export interface EntryWrite {
  readonly key: string
  readonly value: Uint8Array
  readonly expires: number
  readonly retained: number
  readonly tags: readonly string[]
  /** Epoch of the fence, or `undefined` for a write that outdates the fences before it. */
  readonly epoch: number | undefined
}

interface StateRow {
  readonly epoch: number
  /** Version of the last clear to gone. */
  readonly cleared: number
  /** Version of the last clear to stale. */
  readonly expired: number
  /** Fences before it may have missed an invalidation that is no longer remembered by name. */
  readonly horizon: number
}

/** How long a deleted key is remembered by name, in ms; after that, fences older than its deletion are outdated. */
const TOMBSTONE_LIFE = 60_000

/** How many invalidated tags are remembered by name before they are applied to all rows; see {@link SqliteEntries.sweep}. */
const REMEMBERED_TAGS = 16_384

const isLive = 'value IS NOT NULL AND retained > ?'
const tagVersions = `
  SELECT ifnull(max(deleted), 0) AS deleted, ifnull(max(expired), 0) AS expired
  FROM tags_1 WHERE name IN (SELECT value FROM json_each(?))`

/**
 * The rows of a {@link SqliteStore} and what is done to them, each call one atomic step. A deleted key leaves a row without
 * value (a tombstone) that refuses what was computed before; when it goes, the horizon takes its place.
 */
export class SqliteEntries {
  readonly #database: DatabaseSync
  readonly #read: StatementSync
  readonly #tagVersions: StatementSync
  readonly #state: StatementSync
  readonly #present: StatementSync
  readonly #put: StatementSync
  readonly #advance: StatementSync
  readonly #bury: StatementSync
  readonly #stale: StatementSync
  readonly #touch: StatementSync

  constructor(database: DatabaseSync) {
    this.#database = database
    this.#read = database.prepare(`
      SELECT version, iif(state_1.expired > version, 0.0, expires) AS expires, retained, tags, value
      FROM entries_1, state_1 WHERE key = ? AND ${isLive}`)
    this.#tagVersions = database.prepare(tagVersions)
    this.#state = database.prepare('SELECT epoch, cleared, expired, horizon FROM state_1')
    this.#present = database.prepare(
      `SELECT version, barrier, tags, ${isLive} AS live FROM entries_1 WHERE key = ?`,
    )
    this.#put = database.prepare(`
      INSERT INTO entries_1 (key, version, barrier, expires, retained, used, size, tags, value)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (key) DO UPDATE SET version = excluded.version,
        barrier = max(barrier, excluded.barrier), expires = excluded.expires, retained = excluded.retained, used = excluded.used, size = excluded.size,
        tags = excluded.tags, value = excluded.value`)
    this.#advance = database.prepare('UPDATE state_1 SET epoch = epoch + 1 RETURNING epoch')
    this.#bury = database.prepare(`
      INSERT INTO entries_1 (key, version, barrier, expires, retained, used, size)
      VALUES (?, 0, ?, 0, ?, 0, 0)
      ON CONFLICT (key) DO UPDATE SET version = 0, barrier = excluded.barrier, expires = 0,
        retained = excluded.retained, used = 0, size = 0, tags = NULL, value = NULL`)
    this.#stale = database.prepare('UPDATE entries_1 SET expires = 0, barrier = ? WHERE key = ?')
    this.#touch = database.prepare('UPDATE entries_1 SET used = ? WHERE key = ? AND used < ?')
  }

  close(): void {
    this.#database.close()
  }

  epoch(): number {
    return this.#stateRow().epoch
  }

  /** The row of a key unless it is gone; `expires` is 0 if it was expired by tag or as a whole. */
  read(key: string, now: number): EntryRow | undefined {
    const row = this.#read.get(key, now) as EntryRow | undefined
    if (row === undefined || row.tags === null) return row
    const { deleted, expired } = this.#versionsOf(row.tags)
    if (deleted > row.version) return undefined
    return expired > row.version ? { ...row, expires: 0 } : row
  }

  /** Whether it was written. Run it within {@link transaction}. */
  write({ key, value, expires, retained, tags, epoch }: EntryWrite, now: number): boolean {
    const names = tags.length === 0 ? null : JSON.stringify(tags)
    if (epoch !== undefined && !this.#admits(key, names, epoch, now)) return false
    const version = epoch ?? this.#nextEpoch()
    const size = value.length + 2 * key.length
    const barrier = epoch === undefined ? version : 0
    this.#put.run(key, version, barrier, expires, retained, Math.floor(now), size, names, value)
    return true
  }

  /** Deletes a value and remembers that; whether there was one. Run it within {@link transaction}. */
  remove(key: string, now: number): boolean {
    const there = this.read(key, now) !== undefined
    this.#bury.run(key, this.#nextEpoch(), now + TOMBSTONE_LIFE)
    return there
  }

  /** Makes a value stale and remembers that; whether there was one. Run it within {@link transaction}. */
  expire(key: string, now: number): boolean {
    const there = this.read(key, now) !== undefined
    if (there) this.#stale.run(this.#nextEpoch(), key)
    else this.#bury.run(key, this.#nextEpoch(), now + TOMBSTONE_LIFE)
    return there
  }

  /** Run it within {@link transaction}. */
  invalidateTag(tag: string, expire: boolean): void {
    const column = expire ? 'expired' : 'deleted'
    const epoch = this.#nextEpoch()
    this.#run(
      `INSERT INTO tags_1 (name, deleted, expired) VALUES (?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET ${column} = excluded.${column}`,
      tag,
      expire ? 0 : epoch,
      expire ? epoch : 0,
    )
  }

  /** Run it within {@link transaction}. */
  clear(expire: boolean): void {
    this.#run(`UPDATE state_1 SET ${expire ? 'expired' : 'cleared'} = ?`, this.#nextEpoch())
    if (expire) return
    // What these rows refused is older than `cleared` and refused by it.
    this.#run('DELETE FROM entries_1')
    this.#run('DELETE FROM tags_1')
  }

  keysAfter(key: string | undefined, limit: number, now: number): string[] {
    const rows = this.#database
      .prepare(
        `SELECT key FROM entries_1 WHERE ${isLive} AND (? IS NULL OR key > ?) ORDER BY key LIMIT ?`,
      )
      .all(now, key ?? null, key ?? null, limit) as { key: string }[]
    return rows.map(row => row.key)
  }

  /** Removes a row whose value cannot be read, unless it was replaced meanwhile. Run it within {@link transaction}. */
  discard(key: string, version: number): void {
    this.#delete('key = ? AND version = ? AND value IS NOT NULL', key, version)
  }

  totals(): { entries: number; bytes: number } {
    return this.#database
      .prepare('SELECT count(value) AS entries, ifnull(sum(size), 0) AS bytes FROM entries_1')
      .get() as { entries: number; bytes: number }
  }

  /** Notes that keys were read. Run it within {@link transaction}. */
  touch(keys: Iterable<string>, now: number): void {
    const used = Math.floor(now)
    for (const key of keys) this.#touch.run(used, key, used)
  }

  /** Removes what is gone by time or by tag. O(rows). Run it within {@link transaction}. */
  sweep(now: number): void {
    this.#delete('retained <= ?', now)
    const concerned = (column: string) => `
      tags IS NOT NULL AND EXISTS (SELECT 1 FROM json_each(entries_1.tags) AS tag
        JOIN tags_1 ON tags_1.name = tag.value WHERE tags_1.${column} > entries_1.version)`
    this.#delete(concerned('deleted'))
    const { tags } = this.#database.prepare('SELECT count(*) AS tags FROM tags_1').get() as {
      tags: number
    }
    if (tags <= REMEMBERED_TAGS) return
    this.#run(`UPDATE entries_1 SET expires = 0 WHERE ${concerned('expired')}`)
    this.#run('DELETE FROM tags_1')
    this.#run('UPDATE state_1 SET horizon = epoch')
  }

  /**
   * Deletes the least recently used values until their sizes sum up to `bytes` at most; returns how many. O(rows log rows).
   * Run it within {@link transaction}.
   */
  evictTo(bytes: number): number {
    return this.#delete(
      `value IS NOT NULL AND key IN (
         SELECT key FROM (
           SELECT key, sum(size) OVER (ORDER BY used DESC, key) AS newer FROM entries_1
         ) WHERE newer > ?)`,
      bytes,
    )
  }

  /** Gives free pages back to the file system. */
  shrink(): void {
    this.#database.exec('PRAGMA incremental_vacuum')
  }

  /** Runs `work` atomically; other processes wait for it. */
  transaction<T>(work: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.#database.exec('COMMIT')
      return result
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  #admits(key: string, tags: string | null, epoch: number, now: number): boolean {
    const { cleared, expired, horizon } = this.#stateRow()
    if (epoch < Math.max(cleared, expired, horizon)) return false
    const present = this.#present.get(now, key) as
      | { version: number; barrier: number; tags: string | null; live: number }
      | undefined
    if (present !== undefined) {
      if (present.barrier > epoch) return false
      const { version } = present
      const gone = present.tags !== null && this.#versionsOf(present.tags).deleted > version
      if (present.live === 1 && !gone && version > epoch) return false
    }
    if (tags === null) return true
    const versions = this.#versionsOf(tags)
    return Math.max(versions.deleted, versions.expired) <= epoch
  }

  #versionsOf(tags: string): { deleted: number; expired: number } {
    return this.#tagVersions.get(tags) as { deleted: number; expired: number }
  }

  #stateRow(): StateRow {
    return this.#state.get() as unknown as StateRow
  }

  #nextEpoch(): number {
    return (this.#advance.get() as { epoch: number }).epoch
  }

  /** Deletes rows, and raises the horizon to what they refused. */
  #delete(where: string, ...values: SQLInputValue[]): number {
    const rows = this.#database
      .prepare(`DELETE FROM entries_1 WHERE ${where} RETURNING barrier`)
      .all(...values) as { barrier: number }[]
    let horizon = 0
    for (const { barrier } of rows) if (barrier > horizon) horizon = barrier
    if (horizon > 0) this.#run('UPDATE state_1 SET horizon = max(horizon, ?)', horizon)
    return rows.length
  }

  #run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#database.prepare(sql).run(...values).changes)
  }
}
