import type { ResponseHeaders } from '../handler.ts'

const KEY = /^[a-z*][a-z0-9_\-.*]*/
const NUMBER = /^-?\d{1,15}(?:\.\d{1,3})?/
const STRING = /^"(?:[ !#-[\]-~]|\\["\\])*"/
const TOKEN = /^[A-Za-z*][!#$%&'*+\-.^_`|~\w:/]*/
const BOOLEAN = /^\?[01]/
const BYTES = /^:[A-Za-z0-9+/=]*:/
const DATE = /^@-?\d{1,15}/
const FORMS = [NUMBER, STRING, TOKEN, BOOLEAN, BYTES, DATE]

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

/** Members of a dictionary as RFC 9651 section 4.2.2 reads it, with their values as text; undefined if it is none. */
function parseDictionary(text: string): Map<string, string> | undefined {
  const members = new Map<string, string>()
  let rest = text.trim()
  if (rest === '') return members
  for (;;) {
    const [name] = KEY.exec(rest) ?? []
    if (name === undefined) return undefined
    rest = rest.slice(name.length)
    let value = '?1'
    if (rest.startsWith('=')) {
      const item = FORMS.map(form => form.exec(rest.slice(1))?.[0]).find(each => each !== undefined)
      if (item === undefined) return undefined
      value = item
      rest = rest.slice(1 + item.length)
    }
    const parameters = parameterLength(rest)
    if (parameters === undefined) return undefined
    rest = rest.slice(parameters).trimStart()
    members.set(name, value)
    if (rest === '') return members
    if (!rest.startsWith(',')) return undefined
    rest = rest.slice(1).trimStart()
  }
}

/** How much of the text is parameters of a member; undefined if they are malformed. */
function parameterLength(text: string): number | undefined {
  let rest = text
  while (rest.startsWith(';')) {
    rest = rest.slice(1).trimStart()
    const [name] = KEY.exec(rest) ?? []
    if (name === undefined) return undefined
    rest = rest.slice(name.length)
    if (!rest.startsWith('=')) continue
    const item = FORMS.map(form => form.exec(rest.slice(1))?.[0]).find(each => each !== undefined)
    if (item === undefined) return undefined
    rest = rest.slice(1 + item.length)
  }
  return text.length - rest.length
}

/** A value of another type than a directive has is no directive: `max-age` is an integer, `no-store` a boolean. */
function toCacheControl(directives: ReadonlyMap<string, string>): string {
  const list: string[] = []
  for (const [name, value] of directives) {
    if (value === '?1') list.push(name)
    else if (/^\d+$/.test(value)) list.push(`${name}=${value}`)
    // Names of fields, which make no response less private than it is without them.
    else if (value.startsWith('"') && (name === 'private' || name === 'no-cache')) list.push(name)
  }
  return list.join(', ')
}
