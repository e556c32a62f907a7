import type { Clock } from '@millrace/cache-core'
import { type MemoryPressureOptions, memoryPressure } from '@millrace/cache-core/size'
import {
  checkBoolean,
  checkInteger,
  checkMethods,
  checkNonNegative,
  checkNonNegativeOrInfinity,
  checkOneOf,
  checkOptions,
  checkPositive,
  checkText,
  type OptionNames,
  wallClock,
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
   * leaves no stamp: writes of another process through `mmap`, and of tools that write below the file system. Default: `stat`.
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
   * Gives contents up when memory gets scarce: halved at each check from `shrinkAt` on, none added from `stopAt` on. The table then holds
   * a timer until `close`. Default: does not.
   */
  readonly memoryPressure?: MemoryPressureOptions | undefined
  /** The clock that stamps files. Default: the system's wall clock. */
  readonly clock?: Pick<Clock, 'now'> | undefined
}

const OPTIONS: OptionNames<FileTableOptions> = {
  root: true,
  maxBytes: true,
  maxFiles: true,
  maxFileBytes: true,
  racyWindow: true,
  verification: true,
  validationInterval: true,
  openTimeout: true,
  caseSensitive: true,
  memoryPressure: true,
  clock: true,
}

const LARGEST_FILE = 2 ** 32

/** Options with their defaults. */
export interface FileTableSettings {
  readonly root: string
  readonly maxBytes: number
  readonly maxFiles: number
  readonly maxFileBytes: number
  readonly racyWindow: number
  readonly byHash: boolean
  readonly validationInterval: number
  readonly openTimeout: number
  readonly memoryPressure: ReturnType<typeof memoryPressure> | undefined
  readonly caseSensitive: boolean | undefined
  readonly clock: Pick<Clock, 'now'>
}

/** @throws {InvalidOptionError} */
export function fileTableSettings(options: FileTableOptions): FileTableSettings {
  checkOptions('', options, OPTIONS)
  const pressure = options.memoryPressure
  const { caseSensitive, clock = wallClock, verification = 'stat' } = options
  if (caseSensitive !== undefined) checkBoolean('caseSensitive', caseSensitive)
  return {
    root: checkText('root', options.root ?? process.cwd()),
    maxBytes: checkPositive('maxBytes', options.maxBytes ?? 100 * 2 ** 20),
    maxFiles: checkInteger('maxFiles', options.maxFiles ?? 100_000, 1, 2 ** 24),
    maxFileBytes: checkInteger('maxFileBytes', options.maxFileBytes ?? 2 ** 29, 1, LARGEST_FILE),
    racyWindow: checkNonNegative('racyWindow', options.racyWindow ?? 2_000),
    byHash: checkOneOf('verification', verification, ['stat', 'hash']) === 'hash',
    validationInterval: checkNonNegative('validationInterval', options.validationInterval ?? 0),
    openTimeout: checkNonNegativeOrInfinity('openTimeout', options.openTimeout ?? 10_000),
    memoryPressure: pressure === undefined ? undefined : memoryPressure(pressure),
    caseSensitive,
    clock: checkMethods('clock', clock, 'a clock', ['now']),
  }
}
