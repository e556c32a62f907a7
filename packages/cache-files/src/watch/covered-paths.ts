import { lstatSync, realpathSync } from 'node:fs'
import { dirname, sep } from 'node:path'

/**
 * Which paths below a root are reported when they change: those that lead through real folders only and do not end in a link, because a
 * link's target may lie where nothing is watched.
 */
export class CoveredPaths {
  readonly root: string
  #realRoot: string | undefined
  readonly #ignored: readonly string[]
  #folders = new Map<string, boolean>()

  constructor(root: string, ignored: readonly string[]) {
    this.root = root
    this.#realRoot = realPath(root)
    this.#ignored = ignored.map(name => `${sep}${name}${sep}`)
  }

  /** A stat, and a look at the folder the first time. */
  has(path: string): boolean {
    if (path !== this.root && !path.startsWith(`${this.root}${sep}`)) return false
    const below = `${path.slice(this.root.length)}${sep}`
    if (this.#ignored.some(name => below.includes(name))) return false
    const folder = path === this.root ? path : dirname(path)
    return this.#isReal(folder) && !isLink(path)
  }

  /** Folders came or went: what was found of them, and of the root, no longer holds. */
  forget(): void {
    this.#folders = new Map()
    this.#realRoot = realPath(this.root)
  }

  #isReal(folder: string): boolean {
    let real = this.#folders.get(folder)
    if (real === undefined) {
      const found = realPath(folder)
      // What is not there yet is noticed by its nearest parent; a link that leads nowhere yet is not.
      if (found === undefined) {
        real = folder !== this.root && isMissing(folder) && this.#isReal(dirname(folder))
      } else real = found === `${this.#realRoot}${folder.slice(this.root.length)}`
      this.#folders.set(folder, real)
    }
    return real
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    // Missing, a link that leads nowhere, or not to be looked at.
    return undefined
  }
}

function isMissing(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) === undefined
  } catch {
    // A part of the path is a file, or may not be looked at: nothing is vouched for.
    return false
  }
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
  } catch {
    // A part of the path is a file, or may not be looked at: nothing is vouched for.
    return true
  }
}
