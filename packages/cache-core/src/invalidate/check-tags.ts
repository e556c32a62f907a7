import { InvalidOptionError } from '@millrace/kit'

/** @throws {InvalidOptionError} unless `tags` is an array of strings. */
export function checkTags(option: string, tags: readonly string[]): readonly string[] {
  if (Array.isArray(tags) && areStrings(tags)) return tags
  throw new InvalidOptionError(option, 'an array of strings', tags)
}

/** Holes are none, either, which `every` would leave out. */
function areStrings(tags: readonly unknown[]): boolean {
  for (const tag of tags) if (typeof tag !== 'string') return false
  return true
}
