/** One item of a header of preferences, in lower case: `text/plain;version=1.0.0;q=0.5`, `gzip;q=0`. */
export interface Preference {
  readonly name: string
  readonly parameters: ReadonlyMap<string, string>
  /** From 0, which refuses it, to 1. NaN where it is no number. */
  readonly quality: number
}

/** The items of `Accept` or `Accept-Encoding`. Commas and semicolons within quotes are no separators. */
export function preferences(header: string | undefined): Preference[] {
  return split(header ?? '', ',').map(item => {
    const [name = '', ...parts] = split(item.toLowerCase(), ';')
    const parameters = new Map(parts.map(parameterOf))
    return { name, parameters, quality: Number(parameters.get('q') ?? 1) }
  })
}

/** Whether an answer may be compressed: gzip is named, or meant by `*`, and not refused by `q=0` (RFC 9110, 12.5.3). */
export function acceptsGzip(header: string | undefined): boolean {
  const accepted = preferences(header)
  const named = accepted.find(({ name }) => name === 'gzip' || name === 'x-gzip')
  const item = named ?? accepted.find(({ name }) => name === '*')
  return item !== undefined && item.quality > 0
}

/** The trimmed parts of `text`, in one pass whatever it is: headers come from anyone. */
function split(text: string, separator: ',' | ';'): string[] {
  const parts: string[] = []
  let from = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const character = text[i]
    if (character === '\\' && quoted) i++
    else if (character === '"') quoted = !quoted
    else if (character === separator && !quoted) {
      parts.push(text.slice(from, i).trim())
      from = i + 1
    }
  }
  parts.push(text.slice(from).trim())
  return parts
}

function parameterOf(text: string): [name: string, value: string] {
  const at = text.indexOf('=')
  if (at < 0) return [text, '']
  return [text.slice(0, at).trim(), unquoted(text.slice(at + 1).trim())]
}

function unquoted(value: string): string {
  return /^".*"$/s.test(value) ? value.slice(1, -1).replace(/\\(.)/gs, '$1') : value
}
