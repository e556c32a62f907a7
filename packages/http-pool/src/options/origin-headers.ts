import { InvalidOptionError } from '../errors.ts'

/** A redirect to anywhere would take these along, were they sent to all origins. */
const credentials: readonly string[] = ['authorization', 'cookie', 'proxy-authorization']

/**
 * What is sent with each request to an origin, by names in lower case, or undefined if there is nothing.
 *
 * @param own headers of a single origin, which may be credentials
 */
export function resolveHeaders(
  option: string,
  common: Readonly<Record<string, string>> | undefined,
  own?: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> | undefined {
  const headers = Object.assign(Object.create(null), parse('headers', common), parse(option, own))
  for (const name of credentials) {
    if (own === undefined && Object.hasOwn(headers, name)) {
      throw new InvalidOptionError(
        'headers',
        'without credentials: those belong in `origins`',
        name,
      )
    }
  }
  return Object.keys(headers).length === 0 ? undefined : headers
}

function parse(
  option: string,
  headers: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  if (headers === undefined) return {}
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) {
    throw new InvalidOptionError(option, 'an object of names and values', headers)
  }
  const parsed: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    try {
      if (typeof value !== 'string') throw new TypeError('No text')
      // Checks both as the Fetch standard has it, line breaks included.
      new Headers([[name, value]])
    } catch {
      // Values may be secrets: only the name is told.
      throw new InvalidOptionError(option, 'valid names and values of headers', name)
    }
    parsed[name.toLowerCase()] = value
  }
  return parsed
}
