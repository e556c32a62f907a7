import { globMatcher, literalPrefix } from './glob-matcher.ts'

/** A compiled key pattern, as {@link globMatcher} reads it, for those who also want to know where to look. */
export class Glob {
  /** What a matching key begins with; tells an index or a store where to look. */
  readonly prefix: string
  /** Whether the key matches. */
  readonly test: (key: string) => boolean

  /** @throws {@link InvalidOptionError} unless `pattern` is a string of 1 to 1,024 characters. */
  constructor(pattern: string) {
    this.test = globMatcher(pattern)
    this.prefix = literalPrefix(pattern)
  }
}
