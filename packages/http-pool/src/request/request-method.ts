import { InvalidRequestError } from '../errors.ts'

/** Methods are case-sensitive (RFC 9110 section 9.1), and no server knows these in lower case. */
const USUAL_METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'QUERY',
])

/** The method to send; the usual ones may be given in any case, as to `fetch`. */
export function requestMethod(given: string | undefined, hasBody: boolean): string {
  if (given === undefined) return hasBody ? 'POST' : 'GET'
  if (USUAL_METHODS.has(given)) return given
  if (typeof given !== 'string') {
    throw new InvalidRequestError('method', `The method must be a string, got a ${typeof given}`)
  }
  const method = given.toUpperCase()
  if (method === 'CONNECT') {
    throw new InvalidRequestError('method', 'CONNECT has no response: use `dispatcher.connect()`')
  }
  return USUAL_METHODS.has(method) ? method : given
}
