import { createHash } from 'node:crypto'
import { InvalidOptionError } from '@millrace/kit'

/**
 * A key for what something says, not for where it lies: equal for equal content in every cache and process. SHA-256 of the content and
 * of further parts, such as the version of a parser, each behind its length, so that no two lists of parts are the same bytes. Text counts
 * as its UTF-8 form, equal to the same bytes; ill-formed text as its UTF-16 code units. O(bytes).
 *
 * @throws {InvalidOptionError} for what is neither
 * @returns 43 characters of base64url
 */
export function contentKey(
  content: string | Uint8Array,
  ...parts: readonly (string | Uint8Array)[]
): string {
  const hash = createHash('sha256')
  for (const part of [content, ...parts]) {
    if (typeof part !== 'string' && !(part instanceof Uint8Array)) {
      throw new InvalidOptionError('content', 'strings and Uint8Arrays', part)
    }
    const wellFormed = typeof part !== 'string' || part.isWellFormed()
    const bytes =
      typeof part === 'string' ? Buffer.from(part, wellFormed ? 'utf8' : 'utf16le') : part
    hash.update(`${wellFormed ? '' : 'u'}${bytes.length}:`).update(bytes)
  }
  return hash.digest('base64url')
}
