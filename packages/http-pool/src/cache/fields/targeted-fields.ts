import { parseDictionary, type StructuredItem } from '@millrace/kit'
import type { ResponseHeaders } from '../../handler.ts'

/**
 * What the first of these fields says that a response has, as a `Cache-Control`. RFC 9213 section 2.1: it replaces `Cache-Control` and
 * `Expires` for the caches that it is meant for; a field that is empty or malformed counts as absent.
 *
 * @param targets names in lower case, those with precedence first
 */
export function targetedControl(
  headers: ResponseHeaders,
  targets: readonly string[],
): string | undefined {
  for (const target of targets) {
    const value = headers[target]
    if (value === undefined) continue
    const directives = parseDictionary(Array.isArray(value) ? value.join(',') : value)
    if (directives !== undefined && directives.size > 0) return toCacheControl(directives)
  }
  return undefined
}

/** A value of another type than a directive has is no directive: `max-age` is an integer, `no-store` a boolean. */
function toCacheControl(directives: ReadonlyMap<string, StructuredItem>): string {
  const list: string[] = []
  for (const [name, { text }] of directives) {
    if (text === '?1') list.push(name)
    else if (/^\d+$/.test(text)) list.push(`${name}=${text}`)
    // Names of fields, which make no response less private than it is without them.
    else if (text.startsWith('"') && (name === 'private' || name === 'no-cache')) list.push(name)
  }
  return list.join(', ')
}
