/** What a part of a pattern is made of: a letter, `?`, `*`, or the alternatives of `{a,b}`. */
type Token = string | typeof ANY | typeof MANY | readonly (readonly Token[])[]

const ANY = Symbol('?')
const MANY = Symbol('*')

/**
 * One part of a glob pattern, between two slashes. It is followed through a name with all places that it may have come to, so that no
 * pattern takes longer than its length times that of the name, as a regular expression with several `*` would.
 */
export class NamePattern {
  readonly #tokens: readonly Token[]
  /** Whether it begins with a dot, so that it means names that do. */
  readonly dotted: boolean

  constructor(part: string) {
    this.#tokens = alternatives(part, { at: 0 }, false)[0]!
    this.dotted = part.startsWith('.')
  }

  matches(name: string): boolean {
    if (name.startsWith('.') && !this.dotted) return false
    return ends(this.#tokens, new Set([0]), name).has(name.length)
  }
}

/** Reads alternatives up to the brace that closes them, or to the end. Outside of braces there is one. */
function alternatives(part: string, cursor: { at: number }, inBraces: boolean): Token[][] {
  let tokens: Token[] = []
  const all = [tokens]
  while (cursor.at < part.length) {
    const sign = part[cursor.at++]!
    if (sign === '*') tokens.push(MANY)
    else if (sign === '?') tokens.push(ANY)
    else if (sign === '{') tokens.push(alternatives(part, cursor, true))
    else if (inBraces && sign === '}') return all
    else if (inBraces && sign === ',') {
      tokens = []
      all.push(tokens)
    } else tokens.push(sign)
  }
  return all
}

/** The places in a name to which tokens lead from any of `places`. */
function ends(
  tokens: readonly Token[],
  places: ReadonlySet<number>,
  name: string,
): ReadonlySet<number> {
  for (const token of tokens) {
    if (places.size === 0) break
    const next = new Set<number>()
    if (token === MANY) {
      for (let place = Math.min(...places); place <= name.length; place++) next.add(place)
    } else if (typeof token === 'object') {
      for (const one of token) for (const place of ends(one, places, name)) next.add(place)
    } else {
      for (const place of places) {
        if (place < name.length && (token === ANY || name[place] === token)) next.add(place + 1)
      }
    }
    places = next
  }
  return places
}
