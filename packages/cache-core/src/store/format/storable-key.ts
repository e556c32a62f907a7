/** Strings that every backend stores as they are: well-formed, without NUL, not starting with the mark below. */
const MARK = '\u0001'

/**
 * A key in a form that survives UTF-8 and C strings, different for different keys: lone surrogates would otherwise all become
 * U+FFFD, and two users' keys one. O(length).
 */
export function storableKey(key: string): string {
  if (key.isWellFormed() && !key.includes('\0') && !key.startsWith(MARK)) return key
  return MARK + JSON.stringify(key)
}

/** The key behind a {@link storableKey}. */
export function originalKey(stored: string): string {
  return stored.startsWith(MARK) ? (JSON.parse(stored.slice(1)) as string) : stored
}
