import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { makeFolder } from '@millrace/kit/make-folder'
import { StoreUnavailableError } from '../contract/errors.ts'
import { unlessGone } from '../unless-gone.ts'
import { guardColumn } from './row-guard.ts'

/** "MILL": marks the file as ours, so that another program's database is never touched. */
const APPLICATION_ID = 0x4d494c4c

/** SQLite's primary result codes (sqlite.org/rescode.html). */
const BUSY = 5
const LOCKED = 6
const IO_ERROR = 10
const CORRUPT = 11
const FULL = 13
const CANNOT_OPEN = 14
const CONSTRAINT = 19
/** Extended codes. */
const SHORT_READ = 522
const MOVED = 1_032
const NOT_A_DATABASE = 26

/** Sizes in SQLite's write-ahead log (sqlite.org/fileformat2.html), for pages of the default size. */
const LOG_HEADER = 32
const LOG_FRAME = 24 + 4_096

/**
 * Tables carry the version of their layout in their names: programs of two versions can use one file and do not see each
 * other's entries. Large values come last in a row, so that scans of the other columns do not read them.
 *
 * The first epoch is the time in microseconds, and fences before it are outdated: so a fence taken before the file was lost
 * and made anew cannot pass for a later one. `time` is the latest that any process has reached, in ms since 1970, and `lead` by how many
 * ms it leads the wall clock.
 *
 * A file keeps these texts, and one that has others is damaged: every change of them, of their spaces too, takes a new version.
 */
const TABLES: Readonly<Record<string, string>> = {
  state_4: `(
    id INTEGER PRIMARY KEY CHECK (id = 0),
    epoch INTEGER NOT NULL,
    cleared INTEGER NOT NULL,
    expired INTEGER NOT NULL,
    horizon INTEGER NOT NULL,
    time INTEGER NOT NULL,
    lead INTEGER NOT NULL,
    ${guardColumn('state_4')}
  ) STRICT`,
  entries_4: `(
    key TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    barrier INTEGER NOT NULL,
    expires REAL NOT NULL,
    retained REAL NOT NULL,
    used INTEGER NOT NULL,
    size INTEGER NOT NULL,
    ${guardColumn('entries_4')},
    tags TEXT,
    value BLOB
  ) STRICT`,
  tags_4: `(
    name TEXT PRIMARY KEY,
    deleted INTEGER NOT NULL,
    expired INTEGER NOT NULL,
    ${guardColumn('tags_4')},
    copy TEXT NOT NULL AS (name || '') STORED
  ) STRICT, WITHOUT ROWID`,
}

/** The file is not what was written, by which invalidations may be lost. */
export class DamagedError extends Error {
  /** As of damage that SQLite itself finds. */
  readonly errcode: number = CORRUPT

  /** @param what of the file */
  constructor(what = 'invalidations that the file keeps') {
    super(`The ${what} are damaged`)
  }
}

/** Whether the file's content is damaged, or not SQLite's at all. */
export function isCorruption(error: unknown): boolean {
  const code = resultCode(error)
  // What the store never writes: a value of another type, by which a row cannot be changed any more, and a number.
  if (code === CORRUPT || code === NOT_A_DATABASE || code === CONSTRAINT) return true
  return (error as { code?: unknown }).code === 'ERR_OUT_OF_RANGE'
}

/** Whether it is what comes of files that are removed or replaced while they are used. */
export function isLoss(error: unknown): boolean {
  const code = resultCode(error)
  if ((error as { errcode?: unknown }).errcode === MOVED) return true
  return code === IO_ERROR || code === CANNOT_OPEN
}

/** Whether there is less of the log than its index tells of. */
export function isCutShort(error: unknown): boolean {
  return (error as { errcode?: unknown }).errcode === SHORT_READ
}

/** Whether there was no room on the disk. */
export function isFull(error: unknown): boolean {
  return resultCode(error) === FULL
}

/** Whether another connection held a lock for longer than the busy timeout. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error)
  return code === BUSY || code === LOCKED
}

/** The primary result code of an error of node:sqlite, or of the cause of another one if that has one; extended codes keep it in the low byte. */
function resultCode(error: unknown): number | undefined {
  const errcode = (error as { errcode?: unknown } | undefined)?.errcode
  return typeof errcode === 'number' ? errcode & 0xff : undefined
}

/**
 * Opens or creates a database with the store's tables. WAL lets readers go on while one process writes; with
 * `synchronous = NORMAL` a power cut may lose the last writes but not damage the file.
 *
 * @param busyTimeout ms to wait for another process's lock
 * @param now the present time, ms since 1970
 * @throws {StoreUnavailableError} if the file is another program's
 */
export function openDatabase(path: string, busyTimeout: number, now: number): DatabaseSync {
  const database = new DatabaseSync(path)
  try {
    database.exec(`PRAGMA busy_timeout = ${Math.ceil(busyTimeout)}`)
    const found = tablesOf(database)
    // Read after the tables, as another process may commit both between the two readings.
    const id = applicationOf(database)
    if (id !== APPLICATION_ID && (id !== 0 || found.length > 0)) {
      throw new StoreUnavailableError(path, 'is the database of another program')
    }
    const isNew = found.length === 0
    // Of an empty file nothing can be lost; waiting for the disk would take most of the time here.
    database.exec('PRAGMA synchronous = OFF')
    // Before the first table is made; later it would have no effect but to write.
    if (isNew) database.exec('PRAGMA auto_vacuum = INCREMENTAL')
    useWriteAheadLog(database, busyTimeout)
    if (!isNew) database.exec('PRAGMA synchronous = NORMAL')
    if (!isSetUp(database)) setUp(database, now)
    if (isNew) database.exec('PRAGMA synchronous = NORMAL')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** Makes the tables that are missing. */
function setUp(database: DatabaseSync, now: number): void {
  const tables = Object.entries(TABLES).map(
    ([name, columns]) => `CREATE TABLE IF NOT EXISTS ${name} ${columns};`,
  )
  database.exec(`BEGIN IMMEDIATE; PRAGMA application_id = ${APPLICATION_ID}; ${tables.join('')}`)
  const first = Math.floor(now) * 1_000
  database.exec(
    `INSERT OR IGNORE INTO state_4 VALUES (0, ${first}, 0, 0, ${first}, ${Math.floor(now)}, 0); COMMIT`,
  )
}

/**
 * Nothing needs to be written then, so that what is there can be read although the disk is full.
 *
 * @throws {DamagedError} if a table is not what was set up: SQLite goes by what the file says, names and guards included
 */
function isSetUp(database: DatabaseSync): boolean {
  const present = tablesOf(database).filter(({ name }) => Object.hasOwn(TABLES, name))
  for (const { name, sql } of present) {
    if (sql !== `CREATE TABLE ${name} ${TABLES[name]}`) throw new DamagedError('tables of the file')
  }
  const whole = present.length === Object.keys(TABLES).length
  return whole && database.prepare('SELECT id FROM state_4').get() !== undefined
}

/** All that is defined in the file, and how. */
function tablesOf(database: DatabaseSync): { name: string; sql: string | null }[] {
  return database.prepare('SELECT name, sql FROM sqlite_schema').all() as {
    name: string
    sql: string | null
  }[]
}

function applicationOf(database: DatabaseSync): number {
  return (database.prepare('PRAGMA application_id').get() as { application_id: number })
    .application_id
}

/** SQLite does not wait for locks while it changes the journal mode, so several processes starting at once must. */
function useWriteAheadLog(database: DatabaseSync, busyTimeout: number): void {
  const end = performance.now() + busyTimeout
  for (;;) {
    try {
      database.exec('PRAGMA journal_mode = WAL')
      return
    } catch (error) {
      if (!isBusy(error) || performance.now() >= end) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
  }
}

/** Bytes of the log that are in use; Infinity if they cannot all be read, `undefined` while another process looks. */
export function logBytes(database: DatabaseSync): number | undefined {
  try {
    const { busy, log } = database.prepare('PRAGMA wal_checkpoint').get() as {
      busy: number
      log: number
    }
    if (busy !== 0) return undefined
    return log === 0 ? 0 : LOG_HEADER + log * LOG_FRAME
  } catch {
    // The answer: the caller gives this file up.
    return Infinity
  }
}

/**
 * Makes the file, empty, and its folder where they are missing; its identity. One that was emptied under those who have it open is made
 * anew: they would keep all others from opening it.
 */
export function makeFile(path: string): string | undefined {
  // In this order: the side files of a database come after its header.
  if (SIDE_FILES.some(suffix => existsSync(path + suffix)) && sizeOf(path) === 0) {
    removeDatabase(path)
  }
  const present = fileIdentity(path)
  if (present !== undefined) return present
  makeFolder(dirname(path))
  closeSync(openSync(path, 'a'))
  return fileIdentity(path)
}

/** What tells one file from another that took its name. */
export function fileIdentity(path: string): string | undefined {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stat && `${stat.dev}:${stat.ino}`
}

/** In bytes; `undefined` if there is no such file. */
export function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size
}

/**
 * Renames a damaged database and its side files, so that a new one can take the name and the old one can be examined.
 *
 * @returns the new name of the database; `undefined` if another process was first
 */
export function setAside(path: string): string | undefined {
  const base = `${path}.corrupt-${new Date().toISOString().replace(/[:.]/g, '-')}`
  let target = base
  for (let attempt = 2; existsSync(target); attempt++) target = `${base}-${attempt}`
  const moved = renamed(path, target)
  for (const suffix of SIDE_FILES) renamed(path + suffix, target + suffix)
  return moved ? target : undefined
}

/** Whether there was a file to rename. */
function renamed(from: string, to: string): boolean {
  try {
    renameSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/** Removes a database and its side files, as far as they are there. Processes that have them open begin anew. */
export function removeDatabase(path: string): void {
  for (const suffix of ['', ...SIDE_FILES]) rmSync(path + suffix, { force: true })
}

/** As {@link removeDatabase}, and gives its room on the disk back although others have it open. */
export function wipeDatabase(path: string): void {
  // The index is left as it is: others have it mapped, and would be killed by the system.
  const files = ['', LOG].flatMap(suffix => unlessGone(() => openSync(path + suffix, 'r+')) ?? [])
  removeDatabase(path)
  for (const file of files) {
    ftruncateSync(file)
    closeSync(file)
  }
}

/** Suffixes of the files beside a database in WAL mode. */
export const SIDE_FILES = ['-wal', '-shm'] as const
const [LOG] = SIDE_FILES
