/** What the analysis keeps of a source file. Plain data, so that every store can hold it. */
export interface FileFacts {
  readonly bytes: number
  readonly lines: number
  readonly kind: ModuleKind
  /** Specifiers of static and dynamic imports, re-exports and `require` calls, each once, in order of appearance. */
  readonly imports: readonly string[]
  /** Exported names; `*` for each `export *`. */
  readonly exports: readonly string[]
  /** Position and message of the first syntax error; the other facts then cover what the parser could recover. */
  readonly syntaxError: string | undefined
}

/**
 * - `esm`: has import or export syntax
 * - `commonjs`: calls `require` or assigns `exports`
 * - `script`: neither
 */
export type ModuleKind = 'esm' | 'commonjs' | 'script'
