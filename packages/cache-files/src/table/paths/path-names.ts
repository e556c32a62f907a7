import { lstatSync } from 'node:fs'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { InvalidOptionError } from '@millrace/kit'

/**
 * One string per path: absolute, without `.` and `..`, and, where the file system takes letters of either case for the same, folded below the root. What
 * is kept of a path is found under this name, and no path is kept as a string twice.
 */
export class PathNames {
  readonly root: string
  readonly caseSensitive: boolean
  readonly #foldedRoot: string
  readonly #limit: number
  #names = new Map<string, string>()
  /** Names that are not in the table yet, and how many of them were asked for. */
  #expected: readonly string[] | undefined
  #next = 0

  /**
   * @param limit names held at most; beyond, all are forgotten, which costs time only
   * @param caseSensitive default: tried at the root
   */
  constructor(root: string, limit: number, caseSensitive?: boolean) {
    this.root = canonicalPath(root)
    this.#foldedRoot = fold(this.root)
    this.#limit = limit
    this.caseSensitive = caseSensitive ?? tellsCasesApart(this.root)
  }

  /** Names held. */
  get size(): number {
    return this.#names.size + (this.#expected?.length ?? 0)
  }

  /**
   * The one string for a path, which may be relative to the root.
   *
   * @throws {InvalidOptionError} for anything but a string
   */
  intern(path: string): string {
    if (this.#expected !== undefined) {
      const expected = this.#expected[this.#next]
      if (path === expected) {
        this.#next++
        return expected
      }
      this.#remember(this.#expected)
    }
    const known = this.#names.get(path)
    if (known !== undefined) return known
    const full = this.#canonical(path)
    if (this.#names.size >= this.#limit) this.#names = new Map()
    if (full === path) {
      this.#names.set(full, full)
      return full
    }
    const name = this.#names.get(full) ?? full
    this.#names.set(name, name)
    this.#names.set(path, name)
    return name
  }

  /**
   * The names of paths that were names in another process: the same ones, where letters of either case are told apart here, too. For as long
   * as they are asked for in their order, they are found by it; a table of them is made when it is needed.
   */
  adopt(paths: readonly string[]): readonly string[] {
    if (!this.caseSensitive || this.size > 0) return paths.map(path => this.intern(path))
    this.#expected = paths
    return paths
  }

  #remember(expected: readonly string[]): void {
    this.#expected = undefined
    for (const path of expected.slice(0, this.#limit)) this.#names.set(path, path)
  }

  #canonical(path: string): string {
    if (typeof path !== 'string') throw new InvalidOptionError('path', 'a string', path)
    const full = canonicalPath(path, this.root)
    if (this.caseSensitive) return full
    const folded = fold(full)
    // Only what is below the root: the folders above it may tell cases apart, and the root is named as it was given everywhere.
    const root = this.#foldedRoot
    const inside = folded === root || folded.startsWith(root.endsWith(sep) ? root : root + sep)
    return inside ? this.root + folded.slice(root.length) : full
  }
}

const fold = (path: string): string => path.normalize('NFC').toLowerCase()

/**
 * A path as it is told to others: absolute, without `.` and `..`, and as the system gets it, for which a lone surrogate is the replacement
 * character.
 *
 * @param root what a relative path is relative to. Default: the working directory
 */
export function canonicalPath(path: string, root = ''): string {
  return (isCanonical(path) ? path : resolve(root, path)).toWellFormed()
}

/** Whether `resolve` would return the path as it is. */
function isCanonical(path: string): boolean {
  return sep === '/' && path.startsWith('/') && !/\/\.{0,2}(?:\/|$)/.test(path)
}

/** Whether the file system at a folder keeps names apart that differ in case only: asked by the folder's own name, spelt otherwise. */
function tellsCasesApart(folder: string): boolean {
  for (let path = folder; ; path = dirname(path)) {
    const name = basename(path)
    if (name === '') return true
    const other = name === name.toLowerCase() ? name.toUpperCase() : name.toLowerCase()
    if (other === name) continue
    try {
      const own = lstatSync(path, { bigint: true })
      const twin = lstatSync(join(dirname(path), other), {
        bigint: true,
        throwIfNoEntry: false,
      })
      return twin === undefined || twin.ino !== own.ino || twin.dev !== own.dev
    } catch {
      // A root that does not exist yet, or may not be looked at: its parent tells.
    }
  }
}
