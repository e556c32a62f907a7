import { InvalidOptionError } from '../errors.ts'
import type { Clock } from '../time/turn-clock.ts'
import type { LifetimeOptions } from './lifetimes.ts'
import { SqliteBackend, type SqliteProblem } from './sqlite-backend.ts'
import type { StoreStats } from './store.ts'
import { SweptStore } from './swept-store.ts'
import type { PackingOptions } from './value-packer.ts'

/** Options of a {@link SqliteStore}. */
export interface SqliteStoreOptions<V> extends LifetimeOptions, PackingOptions<V> {
  /** Database file, made with its folders if it does not exist; `:memory:` for one that goes with the process. */
  readonly path: string
  /** Packed bytes of keys and values kept at most, > 0; beyond, the least recently used values go. Default 256 MiB. */
  readonly maxBytes?: number
  /**
   * ms for which a call waits, blocking its thread, while another process writes; > 0. Default 5,000: other processes' writes
   * take well under a millisecond, so only one that hangs is ever waited for so long.
   */
  readonly busyTimeout?: number
  /** ms between removals of what is gone, > 0; Infinity for none, as reads never return it. Default 60,000. */
  readonly sweepInterval?: number
  /** Told of a damaged file. Default: a process warning with the code MILLRACE_STORE_CORRUPT. */
  readonly onProblem?: (problem: SqliteProblem) => void
  /** Source of time, in ms since 1970. Default: the system's. */
  readonly clock?: Clock
}

/** Counters of a {@link SqliteStore}. */
export interface SqliteStoreStats extends StoreStats {
  /** Values in the file, of all processes, gone ones not yet removed included. Counted by this call: O(entries). */
  readonly entries: number
  /** Packed bytes of keys and values in the file. */
  readonly bytes: number
  /** Damaged files set aside. */
  readonly setAside: number
}

/**
 * A `Store` in a SQLite file that several processes may use at once. Calls run on the calling thread: a read takes about
 * 15 us, a write about 100, a `setMany` about 25 per value.
 *
 * A damaged file is renamed to `*.corrupt-TIME` and a new one begun. A lock held longer than `busyTimeout`, a full disk or a
 * file that cannot be opened is a {@link StoreUnavailableError}.
 */
export class SqliteStore<V = unknown> extends SweptStore<V, SqliteBackend> {
  readonly path: string

  /**
   * @throws {InvalidOptionError}
   * @throws {StoreUnavailableError} if the file cannot be opened or is another program's
   */
  constructor(options: SqliteStoreOptions<V>) {
    const {
      path,
      maxBytes = 256 * 1024 * 1024,
      busyTimeout = 5_000,
      sweepInterval = 60_000,
      onProblem = warn,
    } = options
    if (typeof path !== 'string' || path === '') {
      throw new InvalidOptionError('path', 'the path of a file', path)
    }
    for (const [name, value] of Object.entries({ maxBytes, busyTimeout })) {
      if (!(value > 0)) throw new InvalidOptionError(name, 'a number > 0', value)
    }
    const limits = { path, maxBytes, busyTimeout: Math.min(busyTimeout, LONGEST_WAIT), onProblem }
    super({ ...options, sweepInterval }, counters => new SqliteBackend(limits, counters))
    this.path = path
  }

  override stats(): SqliteStoreStats {
    const totals = this.closed ? { entries: 0, bytes: 0 } : this.backend.totals()
    return { ...super.stats(), ...totals, setAside: this.backend.setAside }
  }
}

/** What SQLite takes for a time, in ms. */
const LONGEST_WAIT = 2 ** 31 - 1

function warn({ path, movedTo }: SqliteProblem): void {
  const where = movedTo === undefined ? 'it had been replaced already' : `it is now ${movedTo}`
  process.emitWarning(`The cache file ${path} is damaged; ${where}, and a new one is begun`, {
    code: 'MILLRACE_STORE_CORRUPT',
  })
}
