import { isUint8Array } from 'node:util/types'
import { checkMethods, counters, describeStats, gauges, InvalidOptionError } from '@millrace/kit'
import { type CallOptions, callSignal } from '../call-options.ts'
import { Doubts } from './doubts.ts'
import {
  type FileTableOptions,
  type FileTableSettings,
  fileTableSettings,
} from './file-table-options.ts'
import type { FileTableStats } from './file-table-stats.ts'
import { type FolderList, FolderLists } from './paths/folder-lists.ts'
import type { PathKind } from './paths/path-kind.ts'
import { PathKinds } from './paths/path-kinds.ts'
import { PathNames } from './paths/path-names.ts'
import type { FileContent } from './read/file-content.ts'
import { FileContents } from './read/file-contents.ts'
import { type FileRead, readFile, readFileSync, readSmallFileSync } from './read/read-file.ts'
import type { FileRecord } from './records/file-record.ts'
import { FileRecords } from './records/file-records.ts'
import type { KnownFile } from './records/table-snapshot.ts'
import { type TableFault, tableFaults } from './table-faults.ts'
import type { ChangeFeed, ChangeReports } from './trust/change-feed.ts'
import { Trust } from './trust/trust.ts'

/**
 * Contents of files, cached and never older than the call: every call makes a `stat`, and the bytes are read again
 * unless the stamp proves that they are the same. The hash always is that of the very bytes returned with it.
 *
 * Where a {@link ChangeFeed} reports changes, what was looked at once needs no `stat` until it is reported; answers are then never
 * older than the last {@link settled}. A file with several names, or beyond a symbolic link, is looked at all the same.
 *
 * Concurrent calls for one path do not share a read, because the one that began later may be about a later write.
 */
export class FileTable implements Disposable {
  readonly root: string
  /** ms for which {@link read} waits for a descriptor. */
  readonly openTimeout: number
  readonly #settings: FileTableSettings
  readonly #names: PathNames
  readonly #records: FileRecords
  readonly #kinds: PathKinds
  readonly #folders: FolderLists
  readonly #contents: FileContents
  readonly #trust = new Trust()
  #counts = { hits: 0, reads: 0, unstable: 0 }

  /** @throws {InvalidOptionError} */
  constructor(options: FileTableOptions = {}) {
    const settings = fileTableSettings(options)
    const { maxFiles, racyWindow } = settings
    this.#settings = settings
    this.openTimeout = settings.openTimeout
    this.#names = new PathNames(settings.root, 4 * maxFiles, settings.caseSensitive)
    this.root = this.#names.root
    this.#records = new FileRecords(settings, this.#trust, now => this.#folders.clockSetBack(now))
    this.#kinds = new PathKinds(maxFiles, this.#trust)
    this.#folders = new FolderLists(maxFiles, this.#trust, racyWindow, () => this.#records.now())
    this.#contents = new FileContents(settings)
  }

  /**
   * The file's content as it is now. Blocks the thread for the `stat`, and for the read of a file of up to 256 KiB, which takes less time than
   * to hand it to another thread. Of larger ones a few are read at once in the whole process, so that calls for any number of files do not
   * take all descriptors; where other code has taken them, the call waits for one, `openTimeout` at most.
   *
   * @throws {FileReadError}
   */
  async read(path: string, options?: CallOptions): Promise<FileContent> {
    const signal = callSignal(options)
    signal?.throwIfAborted()
    const now = this.readNow(path)
    if (now !== undefined) return now
    const full = this.#names.intern(path)
    const { maxFileBytes } = this.#settings
    const wait = { timeout: this.openTimeout, signal }
    const [begun, reports] = [this.#records.now(), this.#trust.reports]
    try {
      return this.#keep(full, begun, reports, await readFile(full, maxFileBytes, wait))
    } catch (error) {
      if (signal?.aborted) throw error
      throw this.#records.failed(full, error)
    }
  }

  /**
   * {@link read}, if it need not wait: the content is held and current, or small. `undefined` for a larger one, and where no descriptor is
   * left.
   *
   * @throws {FileReadError}
   */
  readNow(path: string): FileContent | undefined {
    const full = this.#names.intern(path)
    return this.#current(full) ?? this.#readOnThread(full, readSmallFileSync)
  }

  /**
   * {@link read} on this thread: the faster way for many small files where nothing else waits.
   *
   * @throws {FileReadError}
   */
  readSync(path: string): FileContent {
    const full = this.#names.intern(path)
    return this.#current(full) ?? this.#readSync(full)
  }

  /**
   * The hash of the file's bytes as they are now; reads them only if the stamp does not prove that they are the same.
   *
   * @throws {FileReadError}
   */
  hashSync(path: string): string {
    const full = this.#names.intern(path)
    const hash = this.#records.provenHash(full)
    if (hash === undefined) return this.#readSync(full).hash
    this.#counts.hits++
    return hash
  }

  /**
   * {@link hashSync} with what the hash rests on. The same object comes back for as long as neither the bytes nor the file's stamp change, so
   * that of two equal answers nothing lies between; `undefined` if the file changed all the while it was read.
   *
   * @throws {FileReadError}
   */
  knownSync(path: string): KnownFile | undefined {
    const full = this.#names.intern(path)
    const record = this.#records.proven(full)
    if (record !== undefined) {
      this.#counts.hits++
      return record
    }
    this.#readSync(full)
    return this.#records.peek(full)
  }

  /**
   * What is known of a file for which a feed vouches, without a look; `undefined` if none does.
   *
   * @param path as {@link resolve} returns it; another form of it is not found
   */
  vouched(path: string): KnownFile | undefined {
    const record = this.#records.vouched(path)
    if (record !== undefined) this.#counts.hits++
    return record
  }

  /** Whether a feed vouches for what {@link vouched} returned: the same answer without a search for its path. */
  vouches(known: KnownFile): boolean {
    const vouched = this.#records.vouches(known as FileRecord)
    if (vouched) this.#counts.hits++
    return vouched
  }

  /** Grows with every report of a feed: for as long as it is the same, so is everything {@link vouched}. */
  get reports(): number {
    return this.#trust.reports
  }

  /** What was found when the file was last read, without a look; `undefined` if that is not remembered. */
  peek(path: string): KnownFile | undefined {
    return this.#records.peek(this.#names.intern(path))
  }

  /** What is under a path now: also of what is missing. */
  kindSync(path: string): PathKind {
    const full = this.#names.intern(path)
    return this.#records.isTrusted(full) ? 'file' : this.#kinds.kind(full)
  }

  /**
   * Names in a folder, sorted by code unit; `undefined` if there is none, or it may not be listed. The same object comes back for as long as
   * neither the names nor the folder's stamp change.
   *
   * @throws {FileReadError} with the reason `failed`: the names are unknown, for instance for want of descriptors
   */
  folderSync(path: string): FolderList {
    return this.#folders.list(this.#names.intern(path))
  }

  /** The absolute path, as one string however often and in whichever form it is given. */
  resolve(path: string): string {
    return this.#names.intern(path)
  }

  /** Forgets what is known of a path. Never needed for correctness. */
  forget(path: string): void {
    const full = this.#names.intern(path)
    const record = this.#records.peek(full)
    if (record !== undefined) this.#contents.delete(record.hash)
    this.#records.forget(full)
    this.#folders.forget(full)
  }

  /**
   * Lets a feed report changes, until it closes what it is given. One feed at a time.
   *
   * @throws {InvalidOptionError} if another one is followed
   */
  follow(feed: ChangeFeed): ChangeReports {
    checkMethods('feed', feed, 'a ChangeFeed', ['covers', 'settled'])
    const trust = this.#trust
    if (trust.feed !== undefined) {
      throw new InvalidOptionError('feed', 'the only one that the table follows', feed)
    }
    trust.feed = feed
    return new Doubts(
      {
        names: this.#names,
        records: this.#records,
        kinds: this.#kinds,
        folders: this.#folders,
      },
      trust,
    )
  }

  /** The feed that reports changes, if there is one. */
  get feed(): ChangeFeed | undefined {
    return this.#trust.feed
  }

  /**
   * Resolves when every change made before the call is known of; at once without a feed, as each call looks then. So it does after the
   * failure of one, which is told by the feed's own `settled`.
   */
  async settled(): Promise<void> {
    try {
      await this.#trust.feed?.settled()
    } catch {
      // What cannot say what changed vouches for nothing.
      this.#trust.doubtAll()
    }
  }

  /**
   * Compares what is known of files with their bytes: reads every file whose stamp proves something, or that is vouched for.
   */
  faults(): Generator<TableFault, void> {
    return tableFaults({
      records: [...this.#records.entries()],
      contents: this.#contents,
      trust: this.#trust,
      maxFileBytes: this.#settings.maxFileBytes,
    })
  }

  /** Paths of the files known, in no particular order. */
  paths(): Iterable<string> {
    return this.#records.paths()
  }

  /** Paths in the order in which the process that made the loaded {@link dump} first asked for them. */
  get lastOrder(): readonly string[] {
    return this.#records.lastOrder
  }

  /**
   * What is known of files, without their contents, for the next process: their paths, stamps and hashes, where the stamps are
   * proof, in the order in which they were first asked for. About 100 bytes per file. O(files).
   */
  dump(): Buffer {
    return this.#records.dump()
  }

  /**
   * Takes over what {@link dump} returned in another process on the same machine. Files that changed since are read again as
   * always, and so are those whose stamps lie in the future, as after the clock was set back. O(files).
   *
   * @returns how many files are known from it; 0 if the bytes are torn, damaged or of another format
   * @throws {InvalidOptionError} for anything but bytes
   */
  load(bytes: Uint8Array): number {
    if (!isUint8Array(bytes)) throw new InvalidOptionError('bytes', 'a Uint8Array', bytes)
    return this.#records.load(bytes, this.#names)
  }

  stats(): FileTableStats {
    return {
      files: this.#records.size,
      folders: this.#folders.size,
      contents: this.#contents.size,
      bytes: this.#contents.bytes,
      ...this.#counts,
      ...this.#records.counts,
    }
  }

  /** Drops all contents and ends the timer of `memoryPressure`. */
  close(): void {
    this.#contents.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #readSync(path: string): FileContent {
    return this.#readOnThread(path, readFileSync)!
  }

  #readOnThread(
    path: string,
    read: (path: string, limit: number) => FileRead | undefined,
  ): FileContent | undefined {
    const { maxFileBytes } = this.#settings
    const [begun, reports] = [this.#records.now(), this.#trust.reports]
    try {
      const found = read(path, maxFileBytes)
      return found && this.#keep(path, begun, reports, found)
    } catch (error) {
      throw this.#records.failed(path, error)
    }
  }

  /** What is held of the file, if it is held and proven to be current. */
  #current(path: string): FileContent | undefined {
    const record = this.#records.proven(path)
    const bytes = record && this.#contents.get(record.hash)
    if (record === undefined || bytes === undefined) return undefined
    this.#counts.hits++
    return { path, bytes, hash: record.hash, stable: true }
  }

  #keep(path: string, begun: number, reports: number, read: FileRead): FileContent {
    this.#counts.reads++
    const { bytes, hash, stable } = read
    if (!stable) {
      this.#counts.unstable++
      this.#records.forget(path)
      return { path, bytes, hash, stable }
    }
    this.#records.note(path, begun, reports, read)
    return { path, bytes: this.#contents.share(hash, bytes), hash, stable }
  }
}

describeStats<FileTableStats>(FileTable.prototype, {
  ...gauges('files', 'folders', 'contents', 'bytes', 'unsaved'),
  ...counters('hits', 'trusted', 'reads', 'racyReads', 'unstable', 'errors'),
})
