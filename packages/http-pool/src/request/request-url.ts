import { InvalidRequestError } from '../errors.ts'

/**
 * Parameters of a query: texts, numbers, bigints, booleans; an array gives one for each of its items; null and undefined are left out.
 * What has no form in a query is refused when the call is made: a stricter type would refuse every object that is typed by an interface.
 */
// biome-ignore lint/suspicious/noExplicitAny: interfaces have no index signature, and are assignable to one of `any` alone
export type QueryParameters = URLSearchParams | Readonly<Record<string, any>>

const UNFIT: readonly string[] = ['object', 'symbol', 'function']

/** A copy of a URL that requests can go to, with the query added. */
export function requestUrl(url: string | URL, query: QueryParameters | undefined): URL {
  const target = parse(url)
  if (query instanceof URLSearchParams) {
    for (const [name, value] of query) target.searchParams.append(name, value)
  } else if (query !== undefined) {
    if (typeof query !== 'object' || query === null) {
      throw new InvalidRequestError('url', 'The query must be an object or URLSearchParams')
    }
    for (const [name, value] of Object.entries(query)) append(target.searchParams, name, value)
  }
  return target
}

/** Refuses what the platform's `fetch` would refuse as well, but quote in its error. */
export function checkFetchUrl(input: unknown): void {
  if (typeof input !== 'string' && !(input instanceof URL)) return
  const url = URL.parse(String(input))
  if (url === null) throw new InvalidRequestError('url', INVALID)
  refuseCredentials(url)
}

const INVALID = 'The URL is not absolute or not valid'

function parse(url: string | URL): URL {
  const parsed = typeof url === 'string' ? URL.parse(url) : url instanceof URL ? new URL(url) : null
  if (parsed === null) throw new InvalidRequestError('url', INVALID)
  if (parsed.protocol !== 'https:' && parsed.protocol !== 'http:') {
    throw new InvalidRequestError('url', `Cannot send to a URL of the scheme ${parsed.protocol}`)
  }
  refuseCredentials(parsed)
  return parsed
}

function refuseCredentials({ username, password }: URL): void {
  if (username === '' && password === '') return
  throw new InvalidRequestError('url', 'Credentials belong into a header, not into the URL')
}

function append(parameters: URLSearchParams, name: string, value: unknown): void {
  if (Array.isArray(value)) for (const each of value) append(parameters, name, each)
  else if (UNFIT.includes(typeof value) && value !== null) {
    const message = `A query has no form for a value of type ${typeof value}: give strings or numbers`
    throw new InvalidRequestError('url', message)
  } else if (value !== null && value !== undefined) parameters.append(name, String(value))
}
