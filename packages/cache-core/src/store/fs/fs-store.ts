import {
  type Clock,
  checkOptions,
  checkPath,
  checkPositiveOrInfinity,
  type OptionNames,
} from '@millrace/kit'
import { PACKING_OPTIONS, type PackingOptions } from '../format/value-packer.ts'
import type { LifetimeOptions } from '../lifetimes.ts'
import { SweptStore } from '../swept-store.ts'
import { FsEntries } from './fs-entries.ts'

/** Options of a {@link FsStore}. */
export interface FsStoreOptions<V> extends LifetimeOptions, PackingOptions<V> {
  /** Folder of the store, on a local disk, made if it does not exist, readable by this user only. */
  readonly folder: string
  /** Bytes of files kept at most, above 0; enforced by {@link FsStore.sweep}, the least recently used first. Default: 268,435,456 (256 MiB). */
  readonly maxBytes?: number | undefined
  /** ms between removals of what is gone, above 0; Infinity for none, as reads never return it. Default: 300,000. */
  readonly sweepInterval?: number | undefined
  /** Source of time, in ms since 1970. Default: the system's. Steps back are left out. */
  readonly clock?: Clock | undefined
}

const OPTIONS: OptionNames<FsStoreOptions<unknown>> = {
  ...PACKING_OPTIONS,
  ttl: true,
  retention: true,
  folder: true,
  maxBytes: true,
  sweepInterval: true,
  clock: true,
}

/**
 * A `Store` of one file per value, for values of some kB and more and for folders that are copied between machines. Several
 * processes may use one folder. Names of files are hashes; a file is written aside and renamed, so a reader sees the old value
 * or the new one; a torn or damaged file is a miss. A folder that is removed while it is in use is begun anew, empty.
 *
 * Calls run on the calling thread (see the benchmark suite `tiers` for what they take). Nothing is synced to disk: a power
 * cut may lose values but not bring back deleted ones, unless the file system loses the journal's end. While a process
 * replaces a value without a fence, the others may for the time of a `rename` find none.
 */
export class FsStore<V = unknown> extends SweptStore<V, FsEntries> {
  readonly folder: string

  /**
   * @throws {InvalidOptionError}
   * @throws {StoreUnavailableError} if the folder cannot be used
   */
  constructor(options: FsStoreOptions<V>) {
    const {
      folder,
      maxBytes = 256 * 1024 * 1024,
      sweepInterval = 300_000,
    } = checkOptions('', options, OPTIONS)
    checkPath('folder', folder)
    checkPositiveOrInfinity('maxBytes', maxBytes)
    super(
      { ...options, sweepInterval },
      (counters, clock) => new FsEntries({ folder, maxBytes, clock }, counters),
    )
    this.folder = folder
  }
}
