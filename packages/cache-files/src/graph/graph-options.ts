import type { MemoryPressureOptions } from '@millrace/cache-core/size'
import type { Store } from '@millrace/cache-core/store'
import {
  checkInteger,
  checkList,
  checkMethods,
  checkOptions,
  checkPositiveOrInfinity,
  checkRecord,
  checkText,
  InvalidOptionError,
  type OptionNames,
} from '@millrace/kit'
import {
  KEEPING_OPTIONS,
  type KeepingOptions,
  type KeepingSettings,
  keepingSettings,
} from '../persist/keeping-options.ts'
import type { FileTable } from '../table/file-table.ts'
import type { DurableFolder } from './inputs/durable-inputs.ts'
import type { TraceRecord } from './trace/trace-record.ts'

/** Options of a `Graph`. */
export interface GraphOptions extends KeepingOptions {
  /** Where files are read; relative paths begin at its root. */
  readonly files: FileTable
  /**
   * Where results of queries with a version outlive the process; several processes may share it. The caller made it and closes it
   * after `close`. Default: none.
   */
  readonly store?: Store<TraceRecord> | undefined
  /** Traces held at most, an integer >= 1; beyond, those not asked for the longest go. Default: 200,000. */
  readonly maxNodes?: number | undefined
  /** Values held at most, 1 to 16,777,216; a trace outlives its value, so that what depends on it need not be computed. Default: 100,000. */
  readonly maxResults?: number | undefined
  /** ms between removals of what was not used for `retention`, > 0; Infinity for none. Default: 900,000. */
  readonly cleanupInterval?: number | undefined
  /**
   * ms a query may take, > 0, the time it waits for other queries not counted; Infinity for no limit. Code that blocks the thread cannot
   * be stopped. Default: 60,000.
   */
  readonly timeout?: number | undefined
  /** Folders that are looked at only when their markers change, such as installed dependencies. Default: none. */
  readonly durable?: readonly DurableFolder[] | undefined
  /** What queries may ask for by `context.option`, such as a compiler's options and versions of tools. Default: none. */
  readonly options?: Readonly<Record<string, unknown>> | undefined
  /**
   * Secret under which everything is hashed that results depend on, environment variables, options and other results, if the cache may fall
   * into other hands. Default: hashes, from which a value that can be guessed can be found by trying.
   */
  readonly environmentKey?: string | undefined
  /**
   * Gives values up when memory gets scarce: halved at each check from `shrinkAt` on, none added from `stopAt` on. Default: does not.
   */
  readonly memoryPressure?: MemoryPressureOptions | undefined
}

const OPTIONS: OptionNames<GraphOptions> = {
  ...KEEPING_OPTIONS,
  files: true,
  store: true,
  maxNodes: true,
  maxResults: true,
  cleanupInterval: true,
  timeout: true,
  durable: true,
  options: true,
  environmentKey: true,
  memoryPressure: true,
}

/** Options with their defaults. */
export interface GraphSettings extends KeepingSettings {
  readonly files: FileTable
  readonly store: Store<TraceRecord> | undefined
  readonly maxNodes: number
  readonly maxResults: number
  readonly cleanupInterval: number
  readonly timeout: number
  readonly durable: readonly DurableFolder[]
  readonly environmentKey: string
}

/** @throws {InvalidOptionError} */
export function graphSettings(options: GraphOptions): GraphSettings {
  const { files, store, durable = [], environmentKey } = checkOptions('', options, OPTIONS)
  if (store !== undefined) {
    checkMethods('store', store, 'a Store', ['get', 'getMany', 'setMany', 'delete'])
  }
  for (const [index, entry] of checkList('durable', durable).entries()) {
    const path = `durable[${index}]`
    checkOptions(path, entry, { folder: true, markers: true })
    checkText(`${path}.folder`, entry.folder)
    if (checkList(`${path}.markers`, entry.markers).length === 0) {
      throw new InvalidOptionError(`${path}.markers`, 'at least one path', entry.markers)
    }
  }
  if (options.options !== undefined) checkRecord('options', options.options)
  return {
    ...keepingSettings(options),
    files: checkMethods('files', files, 'a FileTable', ['read', 'knownSync']),
    store,
    maxNodes: checkInteger('maxNodes', options.maxNodes ?? 200_000, 1),
    maxResults: checkInteger('maxResults', options.maxResults ?? 100_000, 1, 2 ** 24),
    cleanupInterval: checkPositiveOrInfinity('cleanupInterval', options.cleanupInterval ?? 900_000),
    timeout: checkPositiveOrInfinity('timeout', options.timeout ?? 60_000),
    durable,
    environmentKey: environmentKey === undefined ? '' : checkText('environmentKey', environmentKey),
  }
}
