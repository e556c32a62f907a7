import type { FileContent } from '../table/file-table.ts'

/** What a query may ask for while it computes. Everything asked for becomes a dependency of its result. */
export interface QueryContext {
  /** The result of another query. */
  get<K extends string, V>(query: Query<K, V>, key: K): Promise<V>
  /**
   * A file's content. A missing file is a dependency too: the result is computed anew once it appears.
   *
   * @throws FileReadError
   */
  read(path: string): Promise<FileContent>
  /** What is under a path now, without reading it: for resolving names, where a file that appears may shadow another. */
  kind(path: string): PathKind
  /** Names in a folder, sorted; `undefined` if it is none. Changes when a name appears or goes, not when a file is edited. */
  list(path: string): readonly string[] | undefined
  /** The path with all symbolic links followed, or `undefined` if nothing is there. */
  realPath(path: string): string | undefined
  /** An environment variable. */
  env(name: string): string | undefined
  /** Says that the result depends on something else as well: it is computed anew for every revision. */
  untracked(): void
}

/**
 * - `none`: nothing is there
 * - `other`: neither a file nor a folder
 */
export type PathKind = 'none' | 'file' | 'folder' | 'other'

/** Options of one query. */
export interface QueryOptions<V> {
  /**
   * Tells results apart: dependents are computed anew when it changes. Default a SHA-256 of the structured clone; give a cheaper
   * one where something smaller decides, such as the hash of the source for a syntax tree.
   */
  readonly fingerprint?: (value: V) => string
  /**
   * Version of the function with whatever it depends on besides its context, such as `3`. Given, results outlive the process if
   * the graph has a store; they must then survive the store's codec. Default: results are kept in memory only.
   */
  readonly version?: string
}

/** A function from keys to values whose results a graph keeps for as long as what they depended on is the same. */
export interface Query<K extends string, V> {
  readonly name: string
  readonly compute: (context: QueryContext, key: K) => V | Promise<V>
  readonly fingerprint: ((value: V) => string) | undefined
  readonly version: string | undefined
}
