import { InvalidOptionError } from '@millrace/kit'

/** A redirect to anywhere would take these along, were they sent to all origins. */
const CREDENTIALS: readonly string[] = ['authorization', 'cookie', 'proxy-authorization']

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
  for (const name of CREDENTIALS) {
    if (own === undefined && Object.hasOwn(headers, name)) {
      throw new InvalidOptionError(
        named('headers', name),
        'absent, as credentials belong in `origins`',
        headers[name],
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
  if (typeof headers !== 'object' || headers === null || Symbol.iterator in headers) {
    throw new InvalidOptionError(option, 'an object of names and values', headers)
  }
  const parsed: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (!isValid(name, '')) {
      throw new InvalidOptionError(option, 'named by valid names of headers', name)
    }
    if (typeof value !== 'string' || !isValid(name, value)) {
      throw new InvalidOptionError(named(option, name), 'a valid value of a header', value)
    }
    parsed[name.toLowerCase()] = value
  }
  return parsed
}

function named(option: string, header: string): string {
  return `${option}[${JSON.stringify(header)}]`
}

/** As the Fetch standard has it, line breaks included. */
function isValid(name: string, value: string): boolean {
  try {
    new Headers([[name, value]])
    return true
  } catch {
    // Why is the same for all: the caller's error says it.
    return false
  }
}
