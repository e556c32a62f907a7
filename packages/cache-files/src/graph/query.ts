import {
  checkFunction,
  checkOptions,
  checkPositiveOrInfinity,
  checkText,
  InvalidOptionError,
  type OptionNames,
} from '@millrace/kit'
import type { PathKind } from '../table/paths/path-kind.ts'
import type { FileContent } from '../table/read/file-content.ts'

/**
 * What a query may ask for while it computes. Everything asked for becomes a dependency of its result. Paths, patterns and names that
 * are no texts are refused with `InvalidOptionError`.
 */
export interface QueryContext {
  /** Aborts when the last call that waits for the result leaves, or the query's time is over. */
  readonly signal: AbortSignal
  /** The result of another query. */
  get<K extends string, V>(query: Query<K, V>, key: K): Promise<V>
  /**
   * The results of another query for several keys, in their order; computed 64 at once. For many keys far less work than a {@link get} each.
   *
   * @throws what the query throws for the key that fails first; further keys are not asked for then
   */
  getMany<K extends string, V>(query: Query<K, V>, keys: readonly NoInfer<K>[]): Promise<V[]>
  /**
   * A file's content. A missing file is a dependency too: the result is computed anew once it appears.
   *
   * @throws {FileReadError}
   */
  read(path: string): Promise<FileContent>
  /** What is under a path now, without reading it: for resolving names, where a file that appears may shadow another. */
  kind(path: string): PathKind
  /**
   * Names in a folder, sorted; `undefined` if it is none, or may not be listed. Changes when a name appears or goes, not when a file is edited.
   *
   * @throws {FileReadError} with the reason `failed`, for instance for want of descriptors
   */
  list(path: string): readonly string[] | undefined
  /**
   * Paths of what matches a pattern, sorted and absolute. A pattern is a path whose parts may have `*`, `?` and `{a,b}`, or be `**` for any
   * number of folders; names that begin with a dot match only where the pattern's part does. Linked folders are not entered.
   *
   * @throws {FileReadError} as {@link list}, for a folder on the way
   */
  glob(pattern: string): readonly string[]
  /** The path with all symbolic links followed, or `undefined` if nothing is there. */
  realPath(path: string): string | undefined
  /** An environment variable. Kept as a salted hash. */
  env(name: string): string | undefined
  /** An option of the graph, such as a compiler's target or the version of a tool. */
  option(name: string): unknown
  /** Says that the result depends on something else as well: it is computed anew for every call. */
  untracked(): void
}

/** Options of one query. */
export interface QueryOptions<V> {
  /**
   * Tells results apart: dependents are computed anew when it changes. Default: a SHA-256 of everything that shows in
   * the value: own enumerable properties, of errors all but the stack, of views of buffers their bytes. Give one where something else decides,
   * such as a private field, or a cheaper one where something smaller does, such as the hash of the source for a syntax tree.
   */
  readonly fingerprint?: ((value: V) => string) | undefined
  /**
   * Version of the function with whatever it depends on besides its context, such as `3`. Given, results outlive the process if
   * the graph has a store; they must then survive the graph's codec, and hold no absolute paths if the tree may be moved. Default: results
   * are kept in memory only.
   */
  readonly version?: string | undefined
  /**
   * ms the query may take, > 0, the time it waits for other queries not counted; Infinity for no limit. Default: that of the graph.
   */
  readonly timeout?: number | undefined
}

/** A function from keys to values whose results a graph keeps for as long as what they depended on is the same. */
export interface Query<K extends string, V> {
  readonly name: string
  readonly compute: (context: QueryContext, key: K) => V | Promise<V>
  readonly fingerprint: ((value: V) => string) | undefined
  readonly version: string | undefined
  /** ms. */
  readonly timeout: number
}

const QUERY_OPTIONS: OptionNames<QueryOptions<unknown>> = {
  fingerprint: true,
  version: true,
  timeout: true,
}

/**
 * The options of a query with the time-out that it has.
 *
 * @param standard the graph's
 * @throws {InvalidOptionError}
 */
export function checkQueryOptions<V>(
  options: QueryOptions<V>,
  standard: number,
): QueryOptions<V> & { readonly timeout: number } {
  checkOptions('options', options, QUERY_OPTIONS as OptionNames<QueryOptions<V>>)
  const { fingerprint, version, timeout = standard } = options
  if (fingerprint !== undefined) checkFunction('fingerprint', fingerprint)
  if (version !== undefined) checkText('version', version)
  return { fingerprint, version, timeout: checkPositiveOrInfinity('timeout', timeout) }
}

/** @throws {InvalidOptionError} for a key that is no text */
export function checkKey<K extends string>(key: K): K {
  if (typeof key === 'string') return key
  throw new InvalidOptionError('key', 'a string', key)
}
