/**
 * Whether `text` matches a pattern of `*` (any characters), `?` (any one) and `\` (the next one literally), as cache-core's. O(text x
 * pattern) at worst, by going back to the last star only.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  let at = 0
  let index = 0
  let star = -1
  let resume = 0
  while (index < text.length) {
    const literal = pattern[at] === '\\' && at + 1 < pattern.length
    if (!literal && pattern[at] === '*') {
      star = at++
      resume = index
    } else if (literal ? pattern[at + 1] === text[index] : matchesOne(pattern[at], text[index])) {
      at += literal ? 2 : 1
      index++
    } else if (star >= 0) {
      at = star + 1
      index = ++resume
    } else {
      return false
    }
  }
  while (pattern[at] === '*') at++
  return at === pattern.length
}

function matchesOne(symbol: string | undefined, character: string | undefined): boolean {
  return symbol === '?' || symbol === character
}

/** The characters with which everything begins that a pattern matches. */
export function literalStart(pattern: string): string {
  let start = ''
  for (let at = 0; at < pattern.length; at++) {
    const symbol = pattern[at]!
    if (symbol === '*' || symbol === '?') break
    if (symbol === '\\' && at + 1 < pattern.length) at++
    start += pattern[at]
  }
  return start
}
