import { statSync } from 'node:fs'
import { isNothingThere } from '../../errors.ts'

/**
 * What is under a path, links followed.
 * - `none`: nothing is there
 * - `other`: neither a file nor a folder, or this process may not look
 */
export type PathKind = 'none' | 'file' | 'folder' | 'other'

/** Looks at a path by a `stat`. */
export function pathKind(path: string): PathKind {
  try {
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return 'none'
    if (stat.isFile()) return 'file'
    return stat.isDirectory() ? 'folder' : 'other'
  } catch (error) {
    return isNothingThere(error) ? 'none' : 'other'
  }
}
