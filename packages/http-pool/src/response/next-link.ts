/** A quoted text, or what has no quote at its beginning. */
const VALUE = /"(?:[^"\\]|\\.)*"|[^\s;,"][^\s;,]*/.source
const PARAMETER = String.raw`\s*;\s*([^\s=;,"]+)(?:\s*=\s*(${VALUE}))?`
/** A target, then its parameters, of which quoted ones may hold commas and semicolons. */
const LINK = new RegExp(`<([^<>]*)>((?:${PARAMETER})*)`, 'g')
const PARAMETERS = new RegExp(PARAMETER, 'g')

/**
 * The target of the link with `rel="next"` (RFC 8288), resolved against the response's URL; undefined if there is none.
 */
export function nextLink(link: string | string[] | undefined, base: string): URL | undefined {
  const text = Array.isArray(link) ? link.join(',') : (link ?? '')
  for (const [, target, parameters] of text.matchAll(LINK)) {
    if (relations(parameters!).includes('next')) return URL.parse(target!, base) ?? undefined
  }
  return undefined
}

/** Of several `rel` the first counts (RFC 8288 section 3.3). */
function relations(parameters: string): string[] {
  for (const [, name, value = ''] of parameters.matchAll(PARAMETERS)) {
    if (name!.toLowerCase() === 'rel') return value.replaceAll('"', '').toLowerCase().split(/\s+/)
  }
  return []
}
