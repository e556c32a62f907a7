import { join } from 'node:path'
import type { FileTable } from '../../table/file-table.ts'
import type { InputKind } from './input-kinds.ts'

/** A folder whose contents change only together with certain files: installed dependencies with their lock file. */
export interface DurableFolder {
  /** Name of a folder wherever it is in a path, such as `node_modules`; or a path, absolute or relative to the root. */
  readonly folder: string
  /**
   * Paths whose change means that anything in the folder may have changed, relative to the root: `package-lock.json`,
   * `node_modules/.package-lock.json`. Name a file that the package manager writes last.
   */
  readonly markers: readonly string[]
}

/** Kinds of inputs that name a path. */
const PATHS: ReadonlySet<InputKind> = new Set(['file', 'kind', 'list', 'realPath'])

/**
 * States of inputs in durable folders, looked at once per epoch. An epoch ends when a marker changes (Salsa's durability: a whole class of
 * inputs is checked by one number).
 */
export class DurableInputs {
  readonly #files: FileTable
  readonly #paths: readonly string[]
  readonly #segments: readonly string[]
  readonly #markers: readonly string[]
  #states = new Map<string, string>()
  #seen: readonly string[] = []
  /** What ended the epoch before: a marker, or the call of {@link invalidate}. */
  cause: string = 'invalidateDurable'
  /** Grows whenever anything in durable folders may have changed. */
  epoch = 0

  constructor(files: FileTable, folders: readonly DurableFolder[]) {
    this.#files = files
    const names = folders.map(({ folder }) => folder.replace(/\/+$/, ''))
    this.#segments = names.filter(name => !name.includes('/')).map(name => `/${name}/`)
    this.#paths = names.filter(name => name.includes('/')).map(name => `${files.resolve(name)}/`)
    this.#markers = folders.flatMap(({ markers }) => markers.map(path => join(files.root, path)))
  }

  /** Looks at the markers, before a revision and after it. Returns the epoch. */
  check(): number {
    const before = this.#seen
    this.#seen = this.#markers.map(path => this.#marker(path))
    const changed = this.#seen.findIndex((state, index) => state !== before[index])
    if (changed >= 0) this.invalidate(this.#markers[changed])
    return this.epoch
  }

  /** Anything in durable folders may have changed. */
  invalidate(cause = 'invalidateDurable'): void {
    this.cause = cause
    this.epoch++
    this.#states = new Map()
  }

  /** Whether an input lies in a durable folder. */
  covers(kind: InputKind, name: string): boolean {
    if (this.#segments.length === 0 && this.#paths.length === 0) return false
    if (!PATHS.has(kind)) return false
    return (
      this.#segments.some(segment => name.includes(segment)) ||
      this.#paths.some(path => name.startsWith(path))
    )
  }

  get(kind: InputKind, name: string): string | undefined {
    return this.#states.get(`${kind}:${name}`)
  }

  set(kind: InputKind, name: string, fingerprint: string): void {
    this.#states.set(`${kind}:${name}`, fingerprint)
  }

  #marker(path: string): string {
    return this.#files.kindSync(path) === 'file' ? this.#files.hashSync(path) : 'none'
  }
}
