import { type Stats, statSync } from 'node:fs'
import { monotonicClock } from '@millrace/kit'
import { FileReadError, fileReadError } from '../../errors.ts'
import { isSettled, sameStamp } from '../file-stamp.ts'
import type { FileTableSettings } from '../file-table-options.ts'
import type { PathNames } from '../paths/path-names.ts'
import type { FileRead } from '../read/read-file.ts'
import type { Trust } from '../trust/trust.ts'
import { AccessOrder } from './access-order.ts'
import { FileRecord } from './file-record.ts'
import { RecordMap } from './record-map.ts'
import { decodeSnapshot, encodeSnapshot, type KnownFile } from './table-snapshot.ts'

/** What is known of files without their contents, and whether it is proof that they are the same. Paths are interned ones. */
export class FileRecords {
  readonly #settings: FileTableSettings
  readonly #trust: Trust
  readonly #clockSetBack: (now: number) => void
  readonly #held: RecordMap
  readonly #order: AccessOrder
  /** The latest time seen. */
  #latest = -Infinity
  counts: { trusted: number; racyReads: number; errors: number; unsaved: number } = {
    trusted: 0,
    racyReads: 0,
    errors: 0,
    unsaved: 0,
  }

  /** @param clockSetBack told of the present time when stamps from the future prove nothing any more */
  constructor(settings: FileTableSettings, trust: Trust, clockSetBack: (now: number) => void) {
    this.#settings = settings
    this.#trust = trust
    this.#clockSetBack = clockSetBack
    this.#held = new RecordMap(settings.maxFiles)
    this.#order = new AccessOrder(2 * settings.maxFiles)
  }

  get size(): number {
    return this.#held.size
  }

  /** Paths in the order in which the process that made the snapshot first asked for them. */
  get lastOrder(): readonly string[] {
    return this.#order.last
  }

  paths(): Iterable<string> {
    return this.#held.paths()
  }

  entries(): Iterable<[path: string, record: FileRecord]> {
    return this.#held.entries()
  }

  peek(path: string): FileRecord | undefined {
    return this.#held.peek(path)
  }

  /** The record of a file for which a feed vouches. */
  vouched(path: string): FileRecord | undefined {
    const record = this.#held.get(path)
    if (record === undefined || !this.#trust.holds(record.trust)) return undefined
    if (!record.used) this.#order.note(record)
    this.counts.trusted++
    return record
  }

  /** Whether a feed vouches for the file of a record that {@link vouched} returned. */
  vouches(record: FileRecord): boolean {
    if (record.left || !this.#trust.holds(record.trust)) return false
    this.counts.trusted++
    return true
  }

  /** Whether a feed vouches that there is a file. */
  isTrusted(path: string): boolean {
    const record = this.#held.get(path)
    return record !== undefined && this.#trust.holds(record.trust)
  }

  /**
   * The record of a file whose bytes are certainly those that were hashed. Benchmark case: files "verify 10,000 unchanged files".
   *
   * @throws {FileReadError}
   */
  proven(path: string): FileRecord | undefined {
    const record = this.#held.get(path)
    if (record === undefined) return undefined
    if (!record.used) this.#order.note(record)
    if (this.#trust.holds(record.trust)) {
      this.counts.trusted++
      return record
    }
    const { validationInterval, verification } = this.#settings
    if (validationInterval > 0 && monotonicClock.now() - record.validated < validationInterval) {
      return record
    }
    if (verification === 'hash') return undefined
    const stat = this.#stat(path)
    if (!sameStamp(record.stamp, stat)) return undefined
    this.now()
    if (!record.settled) {
      this.counts.racyReads++
      return undefined
    }
    if (this.#trust.feed !== undefined && stat.nlink === 1) record.trust = this.#trust.mark(path)
    if (validationInterval > 0) record.validated = monotonicClock.now()
    return record
  }

  /**
   * The hash of a file whose bytes are certainly those that were hashed: {@link proven} without the record, which need not be made where
   * nothing but a snapshot knows of the file. Benchmark case: files "no-op run over 10,000 files".
   *
   * @throws {FileReadError}
   */
  provenHash(path: string): string | undefined {
    const { loaded } = this.#held
    const { validationInterval, verification } = this.#settings
    // Where looks are saved, the record says when the last one was.
    const bare =
      validationInterval === 0 && verification === 'stat' && this.#trust.feed === undefined
    const row = loaded !== undefined && bare ? loaded.unmade(path) : -1
    if (row < 0) return this.proven(path)?.hash
    if (loaded!.use(row)) this.#order.add(path)
    const stat = this.#stat(path)
    this.now()
    // A clock that was set back took the proof from some.
    if (loaded!.isMade(row)) return this.proven(path)?.hash
    if (!loaded!.matches(row, stat)) return undefined
    const hash = loaded!.provenHash(row, stat)
    if (hash === undefined) this.counts.racyReads++
    return hash
  }

  /**
   * Notes what was read of a file that stood still meanwhile.
   *
   * @param begun when the read began, which is when its stamp was taken at the earliest
   * @param reports how many there had been by then
   */
  note(path: string, begun: number, reports: number, read: FileRead): void {
    const { hash, stamp, stampable, linked } = read
    const settled = stampable && isSettled(stamp, begun, this.#settings.racyWindow)
    const before = this.#held.peek(path)
    if (settled || before?.settled === true) this.counts.unsaved++
    let record = before
    // Where the kernel makes contents up, stamps say nothing, and only other bytes are another record.
    const same = record?.hash === hash && (!stampable || sameStamp(record.stamp, stamp))
    if (record !== undefined && same) record.settled = settled
    else {
      record = new FileRecord(path, stamp, hash, settled)
      record.used = before?.used === true
      this.#held.set(path, record)
    }
    if (!record.used) this.#order.note(record)
    const unreported = reports === this.#trust.reports
    // No feed hears of what only the bytes tell.
    const vouched = unreported && stampable && !linked && this.#settings.verification === 'stat'
    record.trust = vouched ? this.#trust.mark(path) : 0
    if (this.#settings.validationInterval > 0) record.validated = monotonicClock.now()
  }

  forget(path: string): void {
    if (this.#held.delete(path)) this.counts.unsaved++
  }

  /** Forgets a file that could not be read; the error to tell. */
  failed(path: string, error: unknown): unknown {
    this.counts.errors++
    this.forget(path)
    if (error instanceof FileReadError) return error
    return (error as NodeJS.ErrnoException).syscall === undefined
      ? error
      : fileReadError(path, error)
  }

  /** The present time. Where the clock was set back, a write may get the time of an earlier one: such stamps prove nothing. */
  now(): number {
    const now = this.#settings.clock.now()
    if (now < this.#latest) {
      for (const [, record] of this.#held.entries()) {
        record.settled &&= isSettled(record.stamp, now, this.#settings.racyWindow)
      }
      this.#clockSetBack(now)
    }
    this.#latest = now
    return now
  }

  /** The records whose stamps are proof as bytes, in the order in which they were first asked for. */
  dump(): Buffer {
    const known = new Map<string, KnownFile>()
    for (const path of this.#order.paths) {
      const record = this.#held.peek(path)
      if (record?.settled) known.set(path, record)
    }
    for (const [path, record] of this.#held.entries()) {
      if (record.settled && !known.has(path)) known.set(path, record)
    }
    this.counts.unsaved = 0
    return encodeSnapshot([...known.values()])
  }

  /** Takes over what {@link dump} returned in another process; how many records that were. */
  load(bytes: Uint8Array, names: PathNames): number {
    const columns = decodeSnapshot(bytes)
    this.counts.unsaved = 0
    if (columns === undefined) return 0
    const paths = names.adopt(columns.paths)
    this.#order.last = paths
    const now = this.now()
    const { racyWindow } = this.#settings
    this.#held.load(columns, paths, stamp => isSettled(stamp, now, racyWindow))
    return paths.length
  }

  /** @throws {FileReadError} */
  #stat(path: string): Stats {
    let stat: Stats | undefined
    try {
      stat = statSync(path, MAY_BE_MISSING)
    } catch (error) {
      throw this.failed(path, error)
    }
    if (stat === undefined) throw this.failed(path, new FileReadError(path, 'missing'))
    return stat
  }
}

const MAY_BE_MISSING = { throwIfNoEntry: false } as const
