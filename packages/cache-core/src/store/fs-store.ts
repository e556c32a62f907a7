import { InvalidOptionError } from '../errors.ts'
import type { Clock } from '../time/turn-clock.ts'
import { FsEntries } from './fs-entries.ts'
import type { LifetimeOptions } from './lifetimes.ts'
import { SweptStore } from './swept-store.ts'
import type { PackingOptions } from './value-packer.ts'

/** Options of a {@link FsStore}. */
export interface FsStoreOptions<V> extends LifetimeOptions, PackingOptions<V> {
  /** Folder of the store, on a local disk, made if it does not exist, readable by this user only. */
  readonly folder: string
  /** Bytes of files kept at most, > 0; enforced by {@link FsStore.sweep}, the least recently used first. Default 256 MiB. */
  readonly maxBytes?: number
  /** ms between removals of what is gone, > 0; Infinity for none, as reads never return it. Default 300,000. */
  readonly sweepInterval?: number
  /** Source of time, in ms since 1970. Default: the system's. */
  readonly clock?: Clock
}

/**
 * A `Store` of one file per value, for values of some kB and more and for folders that are copied between machines. Several
 * processes may use one folder. Names of files are hashes; a file is written aside and renamed, so a reader sees the old value
 * or the new one; a torn or damaged file is a miss.
 *
 * Calls run on the calling thread: a read of a few kB takes about 25 us, a write about 150. Nothing is synced to disk: a power
 * cut may lose values but not bring back deleted ones, unless the file system loses the journal's end. While a process
 * replaces a value without a fence, the others may for some 100 us find none.
 */
export class FsStore<V = unknown> extends SweptStore<V, FsEntries> {
  readonly folder: string

  /**
   * @throws {InvalidOptionError}
   * @throws {StoreUnavailableError} if the folder cannot be used
   */
  constructor(options: FsStoreOptions<V>) {
    const { folder, maxBytes = 256 * 1024 * 1024, sweepInterval = 300_000 } = options
    if (typeof folder !== 'string' || folder === '') {
      throw new InvalidOptionError('folder', 'the path of a folder', folder)
    }
    if (!(maxBytes > 0)) throw new InvalidOptionError('maxBytes', 'a number > 0', maxBytes)
    super({ ...options, sweepInterval }, counters => new FsEntries(folder, maxBytes, counters))
    this.folder = folder
  }
}
