import { InvalidOptionError } from '@millrace/kit'

/** @throws {InvalidOptionError} unless `tags` is an array of strings. */
export function checkTags(option: string, tags: readonly string[]): readonly string[] {
  if (Array.isArray(tags) && tags.every(tag => typeof tag === 'string')) return tags
  throw new InvalidOptionError(option, 'an array of strings', tags)
}
