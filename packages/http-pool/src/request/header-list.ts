import { InvalidRequestError } from '../errors.ts'
import type { RequestHeaders } from './request-options.ts'

type Headers = RequestHeaders

/**
 * Any of undici's shapes of headers as a flat list of names and values, as undici takes it too. What is null or undefined is left out.
 *
 * @throws InvalidRequestError
 */
export function headerList(headers: Headers): string[] {
  const list: string[] = []
  if (headers === null || headers === undefined) return list
  if (typeof headers !== 'object') throw unfit('Headers', 'an object or a list', headers)
  if (Array.isArray(headers) && !Array.isArray(headers[0])) {
    if (headers.length % 2 !== 0) {
      throw new InvalidRequestError('headers', 'A list of headers holds a value for each name')
    }
    for (let i = 0; i < headers.length; i += 2) add(list, headers[i], headers[i + 1])
    return list
  }
  const isIterable = typeof (headers as Iterable<unknown>)[Symbol.iterator] === 'function'
  const entries = isIterable ? headers : Object.entries(headers)
  for (const entry of entries as Iterable<unknown>) {
    if (!Array.isArray(entry) || entry.length !== 2) {
      throw new InvalidRequestError(
        'headers',
        'Headers that are iterated are pairs of name and value',
      )
    }
    add(list, entry[0], entry[1])
  }
  return list
}

/** Names in lower case of what an object of headers has as `null`: neither that nor a default is sent. */
export function omittedNames(headers: Headers): string[] {
  if (typeof headers !== 'object' || headers === null || Symbol.iterator in headers) return []
  const record = headers as Readonly<Record<string, unknown>>
  return Object.keys(record)
    .filter(name => record[name] === null)
    .map(name => name.toLowerCase())
}

/** Headers that every layer reads alike, and more than once: as they are if that is what they are, else as a list. */
export function fitHeaders(headers: Headers): Headers {
  if (headers === undefined || headers === null || areTexts(headers)) return headers
  return headerList(headers)
}

function areTexts(headers: NonNullable<Headers>): boolean {
  if (typeof headers !== 'object' || Symbol.iterator in headers) return false
  for (const name in headers) {
    if (typeof (headers as Record<string, unknown>)[name] !== 'string') return false
  }
  return true
}

function add(list: string[], name: unknown, value: unknown): void {
  if (typeof name !== 'string') throw unfit('The name of a header', 'a text', name)
  for (const each of Array.isArray(value) ? value : [value]) {
    if (typeof each === 'string') list.push(name, each)
    else if (PRINTED.includes(typeof each)) list.push(name, String(each))
    else if (each !== undefined && each !== null) {
      throw unfit(`The header ${JSON.stringify(name)}`, 'a text or a list of texts', each)
    }
  }
}

/** What has one form as a text, besides texts. */
const PRINTED: readonly string[] = ['number', 'bigint', 'boolean']

function unfit(what: string, expected: string, value: unknown): InvalidRequestError {
  return new InvalidRequestError('headers', `${what} must be ${expected}, got a ${typeof value}`)
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
