import type { Clock } from '@millrace/cache-core'
import type { MemoryPressureFactory } from '@millrace/cache-core/size'
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkMethods,
  checkNonNegative,
  checkNonNegativeOrInfinity,
  checkPath,
  checkPositive,
  type OptionRules,
  oneOf,
  optional,
  type Resolved,
  resolveOptions,
  wallClock,
  withDefault,
} from '@millrace/kit'

/** Options of a `FileTable`. */
export interface FileTableOptions {
  /** Folder that relative paths begin at. Default: the process's own at construction. */
  readonly root?: string | undefined
  /** Bytes of file contents held at most, > 0. Default: 100 MiB. */
  readonly maxBytes?: number | undefined
  /** Files whose hash is remembered, 1 to 16,777,216; about 300 bytes each. Default: 100,000. */
  readonly maxFiles?: number | undefined
  /** Bytes of one file at most, 1 to 4 GiB: a larger one is a `FileReadError`. Default: 512 MiB. */
  readonly maxFileBytes?: number | undefined
  /**
   * ms, >= 0: a file touched so shortly before it was read is read again at the next call, as its stamp may not have changed
   * with its bytes. Default: 2,000; less only where the file system's times are known to be finer.
   */
  readonly racyWindow?: number | undefined
  /**
   * What proves that a file is unchanged: its stamp, or, as `hash`, only its bytes, which are then read at every call. That catches what
   * leaves no stamp or raises no event: writes of another process through `mmap`, and of tools that write below the file system. No watcher
   * then vouches for contents. Default: `stat`.
   */
  readonly verification?: 'stat' | 'hash' | undefined
  /**
   * ms, >= 0, for which a path is not looked at again: answers may be older than the call by as much. Default: 0, always look.
   */
  readonly validationInterval?: number | undefined
  /**
   * ms, >= 0, for which a call that may wait does so where the process or the system has no descriptor left; Infinity for no limit. Calls
   * that block the thread do not wait. Default: 10,000.
   */
  readonly openTimeout?: number | undefined
  /** Whether names that differ only in case name different files. Default: tried at the root. */
  readonly caseSensitive?: boolean | undefined
  /**
   * Gives contents up when memory gets scarce: `memoryPressure()` of `@millrace/cache-core/size`. The table then holds a timer until
   * `close`. Default: does not.
   */
  readonly memoryPressure?: MemoryPressureFactory | undefined
  /** The clock that stamps files. Default: the system's wall clock. */
  readonly clock?: Pick<Clock, 'now'> | undefined
}

/** What {@link FileTableOptions} come to. */
export type FileTableSettings = Resolved<FileTableOptions, 'caseSensitive' | 'memoryPressure'>

export const FILE_TABLE_RULES: OptionRules<FileTableOptions, FileTableSettings> = {
  root: (option, root = process.cwd()) => checkPath(option, root),
  maxBytes: withDefault(100 * 2 ** 20, checkPositive),
  maxFiles: withDefault(100_000, checkInteger, 1, 2 ** 24),
  maxFileBytes: withDefault(2 ** 29, checkInteger, 1, 2 ** 32),
  racyWindow: withDefault(2_000, checkNonNegative),
  verification: oneOf('stat', 'hash'),
  validationInterval: withDefault(0, checkNonNegative),
  openTimeout: withDefault(10_000, checkNonNegativeOrInfinity),
  caseSensitive: optional(checkBoolean),
  memoryPressure: optional(checkFunction<MemoryPressureFactory>, '`memoryPressure()`'),
  clock: withDefault(wallClock, checkMethods<Pick<Clock, 'now'>>, 'a clock', ['now']),
}

/** @throws {InvalidOptionError} */
export function fileTableSettings(options: FileTableOptions): FileTableSettings {
  return resolveOptions('', options, FILE_TABLE_RULES)
}
