import type { RequestHeaders } from './request-options.ts'

type Headers = RequestHeaders

/** Any of undici's shapes of headers as a flat list of names and values, as undici takes it too. */
export function headerList(headers: Headers): string[] {
  const list: string[] = []
  if (headers === null || headers === undefined) return list
  if (Array.isArray(headers) && !Array.isArray(headers[0])) return headers.slice() as string[]
  const entries = Symbol.iterator in headers ? headers : Object.entries(headers)
  for (const [name, value] of entries as Iterable<[string, string | string[] | null | undefined]>) {
    if (value === undefined || value === null) continue
    if (Array.isArray(value)) for (const each of value) list.push(name, each)
    else list.push(name, value)
  }
  return list
}

/** Adds a header to a list that has none of that name, in whatever case. Whether it did. */
export function addMissing(list: string[], name: string, value: string): boolean {
  const wanted = name.toLowerCase()
  for (let i = 0; i < list.length; i += 2) if (list[i]!.toLowerCase() === wanted) return false
  list.push(name, value)
  return true
}

/** The value of a header, by its name in lower case. */
export function headerValue(list: readonly string[], name: string): string | undefined {
  for (let i = 0; i < list.length; i += 2) {
    if (list[i]!.toLowerCase() === name) return list[i + 1]
  }
  return undefined
}

/** A copy without the headers named, in lower case. */
export function dropHeaders(headers: Headers, names: readonly string[]): string[] {
  const list = headerList(headers)
  const kept: string[] = []
  for (let i = 0; i < list.length; i += 2) {
    if (!names.includes(list[i]!.toLowerCase())) kept.push(list[i]!, list[i + 1]!)
  }
  return kept
}
