import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/** How often a folder is begun anew that others remove meanwhile. */
const ATTEMPTS_AT_MOST = 4

/**
 * Makes a folder and those above it, as far as they are missing. Node's own way never ends where nothing can be made in a folder that is
 * there, as in `/proc`.
 *
 * @param mode of all that are made. Default: what the process makes folders with
 */
export function makeFolder(path: string, mode?: number): void {
  for (let attempt = 1; ; attempt++) {
    try {
      mkdirSync(path, mode)
      return
    } catch (error) {
      if (isFolder(path)) return
      const parent = dirname(path)
      const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT' && parent !== path
      if (!isMissing || attempt === ATTEMPTS_AT_MOST) throw error
      if (!isFolder(parent)) makeFolder(parent, mode)
    }
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
