import { InvalidOptionError } from '@millrace/kit'

/** Longest pattern accepted, in UTF-16 code units; it bounds the cost of every match. */
const MAX_PATTERN_LENGTH = 1_024

/** Tokens of a pattern besides UTF-16 code units. */
const STAR = -1
const ANY = -2

/**
 * Compiles a key pattern: `*` stands for any run of characters, `?` for exactly one, `\` makes the
 * next character literal. Everything else is literal, and the whole key must match. Keys that are no strings do not.
 *
 * What follows a star is looked for from left to right, and only the last star passed is ever tried
 * again, one character further, which is enough for patterns whose only repetition is `*`. So
 * matching takes at most key length x longest part (1,024) steps, and user text never becomes a
 * regular expression.
 *
 * @throws {@link InvalidOptionError} unless `pattern` is a string of 1 to 1,024 characters.
 */
export function globMatcher(pattern: string): (key: unknown) => boolean {
  if (typeof pattern !== 'string' || pattern === '' || pattern.length > MAX_PATTERN_LENGTH) {
    const expected = `a string of 1 to ${MAX_PATTERN_LENGTH} characters`
    throw new InvalidOptionError('pattern', expected, pattern)
  }
  const tokens = tokensOf(pattern)
  return key => typeof key === 'string' && matches(tokens, key)
}

function matches(tokens: readonly number[], key: string): boolean {
  let at = 0
  let token = 0
  /** Token after the last star passed, and where what it stands for ends at present. */
  let afterStar = 0
  let starEnd = 0
  while (at < key.length) {
    const wanted = tokens[token]
    if (wanted === STAR) {
      afterStar = ++token
      starEnd = at
    } else if (wanted === ANY || wanted === key.charCodeAt(at)) {
      token++
      at++
    } else if (afterStar !== 0) {
      token = afterStar
      at = ++starEnd
    } else return false
  }
  while (tokens[token] === STAR) token++
  return token === tokens.length
}

/** The code units of a pattern that must be there as they are, at its beginning. */
export function literalPrefix(pattern: string): string {
  const tokens = tokensOf(pattern)
  const literals = tokens.findIndex(token => token < 0)
  return String.fromCharCode(...(literals === -1 ? tokens : tokens.slice(0, literals)))
}

function tokensOf(pattern: string): number[] {
  const tokens: number[] = []
  for (let index = 0; index < pattern.length; index++) {
    const character = pattern[index]
    if (character === '*') tokens.push(STAR)
    else if (character === '?') tokens.push(ANY)
    else {
      // A backslash at the very end stands for itself.
      if (character === '\\' && index + 1 < pattern.length) index++
      tokens.push(pattern.charCodeAt(index))
    }
  }
  return tokens
}
