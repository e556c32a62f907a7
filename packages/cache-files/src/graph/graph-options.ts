import type { MemoryPressureFactory } from '@millrace/cache-core/size'
import type { Store } from '@millrace/cache-core/store'
import {
  checkFunction,
  checkInteger,
  checkList,
  checkMethods,
  checkOptions,
  checkPath,
  checkPositiveOrInfinity,
  checkRecord,
  checkText,
  InvalidOptionError,
  type OptionRules,
  optional,
  type Resolved,
  required,
  resolveOptions,
  withDefault,
} from '@millrace/kit'
import { KEEPING_RULES, type KeepingOptions, STORE_METHODS } from '../persist/keeping-options.ts'
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
   * Gives values up when memory gets scarce: `memoryPressure()` of `@millrace/cache-core/size`. Default: does not.
   */
  readonly memoryPressure?: MemoryPressureFactory | undefined
}

/** What {@link GraphOptions} come to. */
export type GraphSettings = Resolved<GraphOptions, 'store' | 'memoryPressure'>

export const GRAPH_RULES: OptionRules<GraphOptions, GraphSettings> = {
  ...KEEPING_RULES,
  files: required(checkMethods<FileTable>, 'a FileTable', ['read', 'knownSync']),
  store: optional(checkMethods<Store<TraceRecord>>, 'a Store', STORE_METHODS),
  maxNodes: withDefault(200_000, checkInteger, 1),
  maxResults: withDefault(100_000, checkInteger, 1, 2 ** 24),
  cleanupInterval: withDefault(900_000, checkPositiveOrInfinity),
  timeout: withDefault(60_000, checkPositiveOrInfinity),
  durable: withDefault([], checkDurable),
  options: withDefault({}, checkRecord<GraphSettings['options']>),
  // None is the empty one.
  environmentKey: (option, key) => (key === undefined ? '' : checkText(option, key)),
  memoryPressure: optional(checkFunction<MemoryPressureFactory>, '`memoryPressure()`'),
}

/** @throws {InvalidOptionError} */
export function graphSettings(options: GraphOptions): GraphSettings {
  return resolveOptions('', options, GRAPH_RULES)
}

function checkDurable(option: string, folders: readonly DurableFolder[]): readonly DurableFolder[] {
  for (const [index, entry] of checkList(option, folders).entries()) {
    const path = `${option}[${index}]`
    checkOptions(path, entry, { folder: true, markers: true })
    checkPath(`${path}.folder`, entry.folder)
    if (checkList(`${path}.markers`, entry.markers).length === 0) {
      throw new InvalidOptionError(`${path}.markers`, 'at least one path', entry.markers)
    }
  }
  return folders
}
