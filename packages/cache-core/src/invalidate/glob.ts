import { InvalidOptionError } from '../errors.ts'

/** Longest pattern accepted, in UTF-16 code units; it bounds the cost of every match. */
const MAX_PATTERN_LENGTH = 1_024

/**
 * A compiled key pattern: `*` stands for any run of characters, `?` for exactly one, `\` makes the
 * next character literal. Everything else is literal, and the whole key must match.
 *
 * The parts between stars are found left to right, each at its first place, which is enough for
 * patterns whose only repetition is `*`; nothing is ever tried twice. Matching is linear in the key:
 * at most key length x longest part (1,024) steps, and user text never becomes a regular expression.
 */
export class Glob {
  readonly pattern: string
  /** What a matching key begins with; tells an index or a store where to look. */
  readonly prefix: string
  readonly #parts: Part[]

  /** @throws {@link InvalidOptionError} unless `pattern` is a string of 1 to 1,024 characters. */
  constructor(pattern: string) {
    if (typeof pattern !== 'string' || pattern === '' || pattern.length > MAX_PATTERN_LENGTH) {
      throw new InvalidOptionError(
        'pattern',
        `a string of 1 to ${MAX_PATTERN_LENGTH} characters`,
        pattern,
      )
    }
    this.pattern = pattern
    this.#parts = parse(pattern)
    this.prefix = literalPrefix(this.#parts[0]!)
  }

  test(key: string): boolean {
    const parts = this.#parts
    const first = parts[0]!
    if (parts.length === 1) return key.length === first.text.length && matchesAt(first, key, 0)
    const last = parts[parts.length - 1]!
    const end = key.length - last.text.length
    if (end < first.text.length || !matchesAt(first, key, 0)) return false
    let from = first.text.length
    for (let index = 1; index < parts.length - 1; index++) {
      const part = parts[index]!
      const at = find(part, key, from, end)
      if (at === -1) return false
      from = at + part.text.length
    }
    return matchesAt(last, key, end)
  }
}

/**
 * Whether a key is a string that matches.
 *
 * @throws {@link InvalidOptionError} unless `pattern` is a string of 1 to 1,024 characters.
 */
export function keyMatcher(pattern: string): (key: unknown) => boolean {
  const glob = new Glob(pattern)
  return key => typeof key === 'string' && glob.test(key)
}

/** Text between two stars. `any` marks the places of `?`; `undefined` when there is none. */
interface Part {
  text: string
  any: boolean[] | undefined
}

function parse(pattern: string): Part[] {
  const parts: Part[] = []
  let text = ''
  let any: boolean[] = []
  for (let index = 0; index < pattern.length; index++) {
    let character = pattern[index]!
    if (character === '*') {
      parts.push({ text, any: any.includes(true) ? any : undefined })
      text = ''
      any = []
      continue
    }
    any.push(character === '?')
    // A backslash at the very end stands for itself.
    if (character === '\\' && index + 1 < pattern.length) character = pattern[++index]!
    text += character
  }
  parts.push({ text, any: any.includes(true) ? any : undefined })
  return parts
}

function literalPrefix({ text, any }: Part): string {
  return any === undefined ? text : text.slice(0, any.indexOf(true))
}

function matchesAt({ text, any }: Part, key: string, at: number): boolean {
  if (any === undefined) return key.startsWith(text, at)
  if (at + text.length > key.length) return false
  for (let index = 0; index < text.length; index++) {
    if (!any[index] && key.charCodeAt(at + index) !== text.charCodeAt(index)) return false
  }
  return true
}

/** First place of `part` at or after `from` that ends at or before `end`, or -1. */
function find(part: Part, key: string, from: number, end: number): number {
  const limit = end - part.text.length
  if (part.any === undefined) {
    const at = key.indexOf(part.text, from)
    return at <= limit ? at : -1
  }
  for (let at = from; at <= limit; at++) {
    if (matchesAt(part, key, at)) return at
  }
  return -1
}
