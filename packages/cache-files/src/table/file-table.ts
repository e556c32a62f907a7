import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { Cache } from '@millrace/cache-core'
import { type Clock, systemClock } from '../clock.ts'
import { FileReadError, fileReadError, InvalidOptionError } from '../errors.ts'
import { type FileStamp, isSettled, sameStamp } from './file-stamp.ts'
import { type FileRead, readFile, readFileSync } from './read-file.ts'
import { decodeSnapshot, encodeSnapshot, type KnownFile } from './table-snapshot.ts'

/** Options of a {@link FileTable}. */
export interface FileTableOptions {
  /** Folder that relative paths begin at. Default the process's own at construction. */
  readonly root?: string
  /** Bytes of file contents held at most, > 0. Default 100 MiB. */
  readonly maxBytes?: number
  /** Files whose hash is remembered, 1 to 16,777,216; about 300 bytes each. Default 100,000. */
  readonly maxFiles?: number
  /**
   * ms, >= 0: a file touched so shortly before it was read is read again at the next call, as its stamp may not have changed
   * with its bytes. Default 2,000; less only where the file system's times are known to be finer.
   */
  readonly racyWindow?: number
  /** Source of time. Default: the system's. */
  readonly clock?: Clock
}

/** Bytes of a file together with what they are known by. Shared by all readers: not to be changed. */
export interface FileContent {
  /** Absolute path under which it was read. */
  readonly path: string
  readonly bytes: Buffer
  /** SHA-256 of {@link bytes}, in hex. */
  readonly hash: string
  /** False if the file was being written all the time; its bytes may then be half old and half new, and are not remembered. */
  readonly stable: boolean
}

/** Counters of a {@link FileTable}. */
export interface FileTableStats {
  /** Files whose hash is remembered. */
  readonly files: number
  /** Contents held; files with the same bytes share one. */
  readonly contents: number
  /** Bytes of contents held. */
  readonly bytes: number
  /** Calls answered after no more than a `stat`. */
  readonly hits: number
  /** Calls for which the file was read. */
  readonly reads: number
  /** Of the {@link reads}, those made only because the file had been touched too shortly before the last one. */
  readonly racyReads: number
  /** Files that changed all the while they were read. */
  readonly unstable: number
  /** Files that could not be read. */
  readonly errors: number
  /** Changes of what `dump` returns since the last `dump` or `load`: while it is 0 there is nothing to save. */
  readonly unsaved: number
}

interface FileRecord {
  readonly stamp: FileStamp
  readonly hash: string
  /** Whether the stamp alone tells that the bytes are the same. */
  readonly settled: boolean
}

/** Contents of empty files weigh something too, so that any number of them is bounded. */
const CONTENT_OVERHEAD = 200

/**
 * Contents of files, cached and never older than the call: every call makes a `stat` (about 2 us), and the bytes are read again
 * unless the stamp proves that they are the same. The hash always is that of the very bytes returned with it.
 *
 * Concurrent calls for one path do not share a read, because the one that began later may be about a later write.
 */
export class FileTable {
  readonly root: string
  readonly #racyWindow: number
  readonly #clock: Clock
  readonly #records: Cache<string, FileRecord>
  /** By hash. */
  readonly #contents: Cache<string, Buffer>
  #hits = 0
  #reads = 0
  #racyReads = 0
  #unstable = 0
  #errors = 0
  #unsaved = 0

  /** @throws {InvalidOptionError} */
  constructor(options: FileTableOptions = {}) {
    const {
      root = process.cwd(),
      maxBytes = 100 * 1024 * 1024,
      maxFiles = 100_000,
      racyWindow = 2_000,
      clock = systemClock,
    } = options
    if (!(racyWindow >= 0)) {
      throw new InvalidOptionError('racyWindow', 'a number >= 0', racyWindow)
    }
    if (!(maxBytes > 0)) throw new InvalidOptionError('maxBytes', 'a number > 0', maxBytes)
    if (!(Number.isInteger(maxFiles) && maxFiles >= 1 && maxFiles <= 2 ** 24)) {
      throw new InvalidOptionError('maxFiles', 'an integer from 1 to 16,777,216', maxFiles)
    }
    this.root = resolve(root)
    this.#racyWindow = racyWindow
    this.#clock = clock
    this.#records = new Cache({ maxEntries: maxFiles })
    this.#contents = new Cache({
      maxEntries: maxFiles,
      maxBytes,
      weigher: bytes => bytes.length + CONTENT_OVERHEAD,
    })
  }

  /**
   * The file's content as it is now. Blocks the thread only for the `stat`.
   *
   * @throws {FileReadError}
   */
  async read(path: string, { signal }: { signal?: AbortSignal } = {}): Promise<FileContent> {
    signal?.throwIfAborted()
    const full = this.#full(path)
    const held = this.#current(full)
    if (held !== undefined) return held
    try {
      const begun = this.#clock.now()
      return this.#keep(full, begun, await readFile(full, signal))
    } catch (error) {
      throw this.#failed(full, error)
    }
  }

  /**
   * {@link read} on this thread: the faster way for many small files where nothing else waits.
   *
   * @throws {FileReadError}
   */
  readSync(path: string): FileContent {
    const full = this.#full(path)
    const held = this.#current(full)
    if (held !== undefined) return held
    try {
      return this.#keep(full, this.#clock.now(), readFileSync(full))
    } catch (error) {
      throw this.#failed(full, error)
    }
  }

  /**
   * The hash of the file's bytes as they are now; reads them only if the stamp does not prove that they are the same.
   *
   * @throws {FileReadError}
   */
  hashSync(path: string): string {
    const full = this.#full(path)
    const record = this.#proven(full)
    if (record === undefined) return this.readSync(full).hash
    this.#hits++
    return record.hash
  }

  /** Forgets a file. Never needed for correctness. */
  forget(path: string): void {
    this.#forget(this.#full(path))
  }

  /**
   * What is known of files, without their contents, for the next process: their paths, stamps and hashes, where the stamps are
   * proof. About 100 bytes per file. O(files).
   */
  dump(): Buffer {
    const known: KnownFile[] = []
    for (const [path, { stamp, hash, settled }] of this.#records.entries()) {
      if (settled) known.push({ path, stamp, hash })
    }
    this.#unsaved = 0
    return encodeSnapshot(known)
  }

  /**
   * Takes over what {@link dump} returned in another process on the same machine. Files that changed since are read again as
   * always. O(files).
   *
   * @returns how many files are known from it; 0 if the bytes are torn, damaged or of another format
   */
  load(bytes: Uint8Array): number {
    const known = decodeSnapshot(bytes) ?? []
    for (const { path, stamp, hash } of known)
      this.#records.set(path, { stamp, hash, settled: true })
    this.#unsaved = 0
    return known.length
  }

  stats(): FileTableStats {
    const contents = this.#contents.stats()
    return {
      files: this.#records.size,
      contents: this.#contents.size,
      bytes: contents.bytes - CONTENT_OVERHEAD * this.#contents.size,
      hits: this.#hits,
      reads: this.#reads,
      racyReads: this.#racyReads,
      unstable: this.#unstable,
      errors: this.#errors,
      unsaved: this.#unsaved,
    }
  }

  /** The absolute path. What names a known file as it is needs no `resolve`, which takes as long as a third of a `stat`. */
  #full(path: string): string {
    const likely = path.startsWith('/') ? path : `${this.root}/${path}`
    return this.#records.has(likely) ? likely : resolve(this.root, path)
  }

  /** What is held of the file, if it is held and proven to be current. */
  #current(path: string): FileContent | undefined {
    const record = this.#proven(path)
    const bytes = record && this.#contents.get(record.hash)
    if (record === undefined || bytes === undefined) return undefined
    this.#hits++
    return { path, bytes, hash: record.hash, stable: true }
  }

  /** The record of a file whose bytes are certainly those that were hashed. */
  #proven(path: string): FileRecord | undefined {
    const record = this.#records.get(path)
    if (record === undefined) return undefined
    let stat: ReturnType<typeof statNow>
    try {
      stat = statNow(path)
    } catch (error) {
      throw this.#failed(path, error)
    }
    if (stat === undefined) {
      throw this.#failed(path, new FileReadError(path, 'missing'))
    }
    if (!sameStamp(record.stamp, stat)) return undefined
    if (record.settled) return record
    this.#racyReads++
    return undefined
  }

  /** @param begun when the read began, which is when its stamp was taken at the earliest */
  #keep(path: string, begun: number, { bytes, hash, stamp, stable }: FileRead): FileContent {
    this.#reads++
    if (!stable) {
      this.#unstable++
      this.#forget(path)
      return { path, bytes, hash, stable }
    }
    const settled = isSettled(stamp, begun, this.#racyWindow)
    if (settled || this.#records.peek(path)?.settled === true) this.#unsaved++
    this.#records.set(path, { stamp, hash, settled })
    const shared = this.#contents.get(hash)
    if (shared === undefined) this.#contents.set(hash, bytes)
    return { path, bytes: shared ?? bytes, hash, stable }
  }

  #forget(path: string): void {
    if (this.#records.delete(path)) this.#unsaved++
  }

  #failed(path: string, error: unknown): unknown {
    this.#errors++
    this.#forget(path)
    if (error instanceof FileReadError) return error
    return (error as NodeJS.ErrnoException).syscall === undefined
      ? error
      : fileReadError(path, error)
  }
}

const statNow = (path: string) => statSync(path, { bigint: true, throwIfNoEntry: false })
