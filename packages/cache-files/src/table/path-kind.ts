import { statSync } from 'node:fs'

/**
 * What is under a path, links followed.
 * - `none`: nothing is there
 * - `other`: neither a file nor a folder, or this process may not look
 */
export type PathKind = 'none' | 'file' | 'folder' | 'other'

/** What is said of names that no file can have as well: too long, or with a null character. */
const NOTHING_THERE: ReadonlySet<string | undefined> = new Set([
  'ENOTDIR',
  'ENAMETOOLONG',
  'ERR_INVALID_ARG_VALUE',
])

/** Looks at a path by a `stat`. */
export function pathKind(path: string): PathKind {
  try {
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return 'none'
    if (stat.isFile()) return 'file'
    return stat.isDirectory() ? 'folder' : 'other'
  } catch (error) {
    return NOTHING_THERE.has((error as NodeJS.ErrnoException).code) ? 'none' : 'other'
  }
}
