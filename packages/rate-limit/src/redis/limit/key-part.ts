import { checkKey } from '../../keyed/check-key.ts'

/**
 * What a key of a user's is called within a key of Redis: itself in braces, so that a Cluster spreads keys over its nodes. UTF-8 has no
 * lone surrogates, which would all be one: a key with such is written as JSON, and so is what looks like that.
 *
 * @throws {InvalidOptionError} for what is no string
 */
export function keyPart(key: string): string {
  return `{${checkKey(key).isWellFormed() && !key.startsWith('"') ? key : JSON.stringify(key)}}`
}
