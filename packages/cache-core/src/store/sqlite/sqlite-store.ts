import {
  type Clock,
  checkFunction,
  checkOptions,
  checkPath,
  checkPositive,
  checkPositiveOrInfinity,
  describeStats,
  LONGEST_DELAY,
  type OptionNames,
} from '@millrace/kit'
import { tellListener } from '../../tell-listener.ts'
import { StoreUnavailableError } from '../contract/errors.ts'
import { STORE_STATS_KINDS, type StoreStats } from '../contract/store.ts'
import { PACKING_OPTIONS, type PackingOptions } from '../format/value-packer.ts'
import type { LifetimeOptions } from '../lifetimes.ts'
import { SweptStore } from '../swept-store.ts'
import { SqliteBackend } from './sqlite-backend.ts'
import type { SqliteProblem } from './sqlite-handle.ts'

/** Options of a {@link SqliteStore}. */
export interface SqliteStoreOptions<V> extends LifetimeOptions, PackingOptions<V> {
  /** Database file, made with its folders if it does not exist; `:memory:` for one that goes with the process. */
  readonly path: string
  /** Packed bytes of keys and values kept at most, above 0; beyond, the least recently used values go. Default: 268,435,456 (256 MiB). */
  readonly maxBytes?: number | undefined
  /**
   * ms for which a call waits, blocking its thread, while another process writes; above 0 and finite. Default: 5,000. Other processes' writes
   * take well under a millisecond, so only one that hangs is ever waited for so long.
   */
  readonly busyTimeout?: number | undefined
  /** ms between removals of what is gone, above 0; Infinity for none, as reads never return it. Default: 60,000. */
  readonly sweepInterval?: number | undefined
  /** Told of a file that was damaged or removed. Default: a process warning with the code MILLRACE_STORE_CORRUPT or MILLRACE_STORE_REMOVED. */
  readonly onProblem?: ((problem: SqliteProblem) => void) | undefined
  /** Source of time, in ms since 1970. Default: the system's. Steps back are left out. */
  readonly clock?: Clock | undefined
}

const OPTIONS: OptionNames<SqliteStoreOptions<unknown>> = {
  ...PACKING_OPTIONS,
  ttl: true,
  retention: true,
  path: true,
  maxBytes: true,
  busyTimeout: true,
  sweepInterval: true,
  onProblem: true,
  clock: true,
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
 * A `Store` in a SQLite file that several processes may use at once. Calls run on the calling thread (see the benchmark suite
 * `tiers` for what they take).
 *
 * A damaged file is renamed to `*.corrupt-TIME` and a new one begun; one that was removed or replaced is opened anew. A lock held
 * longer than `busyTimeout`, a full disk or a file that cannot be opened is a {@link StoreUnavailableError}.
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
    } = checkOptions('', options, OPTIONS)
    checkPath('path', path)
    checkPositiveOrInfinity('maxBytes', maxBytes)
    checkPositive('busyTimeout', busyTimeout)
    checkFunction('onProblem', onProblem)
    const limits = { path, maxBytes, busyTimeout: Math.min(busyTimeout, LONGEST_DELAY) }
    const tell = (problem: SqliteProblem): void =>
      void tellListener('onProblem', () => onProblem(problem))
    super(
      { ...options, sweepInterval },
      (counters, clock) => new SqliteBackend({ ...limits, onProblem: tell, clock }, counters),
    )
    this.path = path
  }

  /** Entries and bytes are 0 while the file cannot be used. */
  override stats(): SqliteStoreStats {
    return { ...super.stats(), ...this.#totals(), setAside: this.backend.setAside }
  }

  #totals(): { entries: number; bytes: number } {
    try {
      if (!this.closed) return this.backend.totals()
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error
    }
    return { entries: 0, bytes: 0 }
  }
}

describeStats<SqliteStoreStats>(SqliteStore.prototype, {
  ...STORE_STATS_KINDS,
  entries: 'gauge',
  bytes: 'gauge',
  setAside: 'counter',
})

function warn({ reason, path, movedTo }: SqliteProblem): void {
  if (reason === 'removed') {
    process.emitWarning(
      `The cache file ${path} was removed, replaced or cut short while it was open; it is begun anew`,
      {
        code: 'MILLRACE_STORE_REMOVED',
      },
    )
    return
  }
  const where = movedTo === undefined ? 'it had been replaced already' : `it is now ${movedTo}`
  process.emitWarning(`The cache file ${path} is damaged; ${where}, and a new one is begun`, {
    code: 'MILLRACE_STORE_CORRUPT',
  })
}
