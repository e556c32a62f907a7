/** What a request makes its answer depend on, besides what is stored: a cache that has a response decides by it. */
export interface Conditions {
  readonly ifNoneMatch: string | undefined
  readonly ifModifiedSince: string | undefined
  readonly range: string | undefined
  readonly ifRange: string | undefined
}

/** A request, as a cache looks for its response. */
interface Lookup {
  /** What variants are told apart by, as a flat list. */
  readonly headers: string[]
  /** Undefined if there are none. */
  readonly conditions: Conditions | undefined
}

const CONDITIONAL: readonly string[] = ['if-none-match', 'if-modified-since', 'range', 'if-range']

/** Lists in which whitespace around commas and semicolons means nothing (RFC 9111 section 4.1). */
const NEGOTIATION: readonly string[] = [
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
]

/**
 * undici's cache has every conditional request validated, and looks at no `Range`: without these it finds what is stored, and the
 * answer is made of that. Negotiation is brought into one spelling, so that the same wishes find the same variant. The order of a
 * list stays: where qualities are equal, servers may go by it.
 *
 * @param list names and values of the request's headers
 */
export function lookup(list: readonly string[]): Lookup {
  const headers: string[] = []
  const places = new Map<string, number>()
  let found: Record<string, string> | undefined
  for (let i = 0; i < list.length; i += 2) {
    const given = list[i]!
    const value = list[i + 1]!
    const name = given.toLowerCase()
    if (CONDITIONAL.includes(name)) {
      found ??= {}
      found[name] = name in found ? `${found[name]}, ${value}` : value
      continue
    }
    const isNegotiation = NEGOTIATION.includes(name)
    const spelled = isNegotiation ? oneSpelling(name, value) : value
    const before = places.get(name)
    if (before === undefined) {
      places.set(name, headers.push(given, spelled) - 1)
    } else {
      // Lines of a field are one list (RFC 9110 section 5.3); of cookies there is one list with another separator.
      const separator = name === 'cookie' ? '; ' : isNegotiation ? ',' : ', '
      headers[before] += separator + spelled
    }
  }
  if (found === undefined) return { headers, conditions: undefined }
  const { range, 'if-none-match': ifNoneMatch, 'if-modified-since': ifModifiedSince } = found
  const ifRange = found['if-range']
  // A kept part is looked for by what it is to hold; conditions are for the whole to answer.
  if (range !== undefined && ifNoneMatch === undefined && ifModifiedSince === undefined) {
    headers.push('range', range.trim())
    if (ifRange !== undefined) headers.push('if-range', ifRange)
  }
  return { headers, conditions: { ifNoneMatch, ifModifiedSince, range, ifRange } }
}

function oneSpelling(name: string, value: string): string {
  const dense = value.replace(/[ \t]*([,;])[ \t]*/g, '$1').trim()
  // Parameters of a media type may be strings, in which case counts.
  return name === 'accept' ? (value.includes('"') ? value : dense) : dense.toLowerCase()
}
