import type { ResponseHeaders } from '../../handler.ts'

/**
 * RFC 9111 section 5.1: of several values of `Age` the first counts, and what is no number is ignored.
 * undici 8 takes either for a response that is too old to keep. Parameters, which the grammar does not
 * know, are dropped rather than the number before them: to take a response for older than it is does less
 * harm.
 */
export function withValidAge<T extends ResponseHeaders>(headers: T): T {
  const { age } = headers
  if (age === undefined || (typeof age === 'string' && isSeconds(age))) return headers
  const first = (Array.isArray(age) ? age[0]! : age).split(/[,;]/, 1)[0]!.trim()
  const valid: ResponseHeaders = { ...headers, age: first }
  if (!isSeconds(first)) delete valid.age
  return valid as T
}

function isSeconds(value: string): boolean {
  return /^\d+$/.test(value)
}
