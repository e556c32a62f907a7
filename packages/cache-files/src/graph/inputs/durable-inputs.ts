import { sep } from 'node:path'
import { FileReadError } from '../../errors.ts'
import type { FileTable } from '../../table/file-table.ts'
import type { InputKind } from './input-kinds.ts'

/** A folder whose contents change only together with certain files: installed dependencies with their lock file. */
export interface DurableFolder {
  /** Name of a folder wherever it is in a path, such as `node_modules`; or a path, absolute or relative to the root. */
  readonly folder: string
  /**
   * Files whose change means that anything in the folder may have changed, by paths relative to the root, or absolute: `package-lock.json`,
   * `node_modules/.package-lock.json`. Name a file that the package manager writes last. While none of them can be read, the folder is looked at
   * as any other.
   */
  readonly markers: readonly string[]
}

/** Kinds of inputs that name a path. */
const PATHS: ReadonlySet<InputKind> = new Set(['file', 'kind', 'list', 'realPath'])

/** A durable folder with what decides about it. */
interface Entry {
  /** As it was named. */
  readonly folder: string
  /** Part of every path below it: of a name, wherever it is, or of a path, at its start. */
  readonly part: string
  readonly anywhere: boolean
  readonly markers: readonly string[]
  /** Whether one of its markers was there once: before, it is looked at as any other folder. */
  marked: boolean
}

/**
 * States of inputs in durable folders, looked at once per epoch. An epoch ends when a marker changes (Salsa's durability: a whole class of
 * inputs is checked by one number). A folder without a marker that is a file and can be read is looked at as any other one.
 */
export class DurableInputs {
  readonly #files: FileTable
  readonly #entries: readonly Entry[]
  readonly #markers: readonly string[]
  /** Where the part of a path begins in which names of durable folders count: the folders above the root are none, whatever their names. */
  readonly #rootEnd: number
  #segments: readonly string[] = []
  #paths: readonly string[] = []
  #states = new Map<string, string>()
  #seen: readonly string[] = []
  #epoch = 0
  /** Whether a folder has lost its markers, so that nothing tells when it changes. */
  #blind = false
  /** What ended the epoch before: a marker, or the call of {@link invalidate}. */
  cause: string = 'invalidateDurable'
  /** The same for graphs to which the same inputs are durable. */
  identity: string = ''

  constructor(files: FileTable, folders: readonly DurableFolder[]) {
    this.#files = files
    this.#rootEnd = files.root.endsWith(sep) ? 0 : files.root.length
    this.#entries = folders.map(({ folder, markers }) => {
      const name = folder.replace(/\/+$/, '')
      const anywhere = !name.includes('/')
      const part = anywhere ? `${sep}${name}${sep}` : `${files.resolve(name)}${sep}`
      const paths = markers.map(path => files.resolve(path))
      return { folder: name, part, anywhere, markers: paths, marked: false }
    })
    this.#markers = this.#entries.flatMap(({ markers }) => markers)
  }

  /**
   * Grows whenever anything in durable folders may have changed. NaN, which is no epoch, not even the same, while that cannot be told.
   */
  get epoch(): number {
    return this.#blind ? Number.NaN : this.#epoch
  }

  /**
   * Looks at the markers, before a revision and after it. Returns the epoch.
   *
   * @throws {FileReadError} with the reason `failed`, for instance for want of descriptors
   */
  check(): number {
    const before = this.#seen
    this.#seen = this.#markers.map(path => this.#marker(path))
    const changed = this.#seen.findIndex((state, index) => state !== before[index])
    if (changed >= 0) {
      this.#mark()
      this.invalidate(this.#markers[changed])
    }
    return this.epoch
  }

  /** Anything in durable folders may have changed. */
  invalidate(cause = 'invalidateDurable'): void {
    this.cause = cause
    this.#epoch++
    this.#states = new Map()
  }

  /** Whether an input lies in a durable folder. */
  covers(kind: InputKind, name: string): boolean {
    if (this.#segments.length === 0 && this.#paths.length === 0) return false
    if (!PATHS.has(kind)) return false
    const from = this.#isInside(name) ? this.#rootEnd : 0
    return (
      this.#segments.some(segment => name.includes(segment, from)) ||
      this.#paths.some(path => name.startsWith(path))
    )
  }

  get(kind: InputKind, name: string): string | undefined {
    return this.#states.get(`${kind}:${name}`)
  }

  set(kind: InputKind, name: string, fingerprint: string): void {
    this.#states.set(`${kind}:${name}`, fingerprint)
  }

  #isInside(name: string): boolean {
    const end = this.#rootEnd
    return name.startsWith(this.#files.root) && (name.length === end || name[end] === sep)
  }

  /** Notes which folders have markers. */
  #mark(): void {
    this.#blind = false
    let at = 0
    for (const entry of this.#entries) {
      const states = this.#seen.slice(at, (at += entry.markers.length))
      const marked = states.some(state => state !== NO_MARKER)
      entry.marked ||= marked
      this.#blind ||= entry.marked && !marked
    }
    const marked = this.#entries.filter(entry => entry.marked)
    this.#segments = marked.filter(({ anywhere }) => anywhere).map(({ part }) => part)
    this.#paths = marked.filter(({ anywhere }) => !anywhere).map(({ part }) => part)
    // Where the root lies below such a folder, it is none to what is below the root.
    const above = this.#segments.filter(part => `${this.#files.root}${sep}`.includes(part))
    this.identity = JSON.stringify([marked.map(({ folder }) => folder).sort(), above.sort()])
  }

  #marker(path: string): string {
    if (this.#files.kindSync(path) !== 'file') return NO_MARKER
    try {
      return this.#files.hashSync(path)
    } catch (error) {
      if (!(error instanceof FileReadError) || error.reason === 'failed') throw error
      // It went just now, or may not be read, or is too large: it tells nothing.
      return NO_MARKER
    }
  }
}

const NO_MARKER = 'none'
