import { globMatcher, literalPrefix } from './glob-matcher.ts'

/**
 * A compiled key pattern, as `deleteMatching` of a cache reads it: `*` stands for any run of characters, `?` for exactly one, `\` makes
 * the next character literal, and the whole key must match. A match takes at most key length x pattern length steps. For stores and
 * buses that look for what a pattern matches.
 */
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
