import type { FileContent, FileTable } from '../table/file-table.ts'
import { type InputKind, inputFingerprint, listFingerprint, listFolder } from './inputs.ts'

/** Thrown through queries when a file turns out to have changed since this revision first looked at it. */
export class RevisionConflict extends Error {
  readonly path: string

  constructor(path: string) {
    super(`${path} changed during the revision`)
    this.path = path
  }
}

/**
 * One look at the world: every input has one state in it, that of when it was first asked for. A file that is found to have
 * changed since makes the revision worthless, and another one is begun.
 */
export class Revision {
  readonly number: number
  readonly #files: FileTable
  readonly #inputs = new Map<string, string>()
  readonly #contents = new Map<string, FileContent>()
  readonly #lists = new Map<string, readonly string[] | undefined>()
  /** A file that changed, once one did. */
  conflict: string | undefined

  constructor(number: number, files: FileTable) {
    this.number = number
    this.#files = files
  }

  /** The fingerprint of an input in this revision. */
  fingerprint(kind: InputKind, name: string): string {
    // Kinds have no colon, so the first one ends it.
    const id = `${kind}:${name}`
    let fingerprint = this.#inputs.get(id)
    if (fingerprint === undefined) {
      fingerprint = inputFingerprint(this.#files, kind, name)
      this.#inputs.set(id, fingerprint)
    }
    return fingerprint
  }

  /** Notes the state of an input that was looked at anyway. */
  note(kind: InputKind, name: string, fingerprint: string): string {
    const id = `${kind}:${name}`
    const known = this.#inputs.get(id)
    if (known === undefined) this.#inputs.set(id, fingerprint)
    else if (known !== fingerprint) this.#disagree(name)
    return fingerprint
  }

  /**
   * The content of a file in this revision.
   *
   * @throws FileReadError
   */
  async read(path: string): Promise<FileContent> {
    const known = this.#contents.get(path)
    if (known !== undefined) return known
    const content = await this.#files.read(path)
    // Half old and half new, or read by somebody else meanwhile.
    if (!content.stable) this.#disagree(path)
    this.note('file', path, content.hash)
    this.#contents.set(path, content)
    return content
  }

  /** The names in a folder in this revision; `undefined` if it is none. */
  list(path: string): readonly string[] | undefined {
    if (!this.#lists.has(path)) {
      const names = listFolder(path)
      this.note('list', path, listFingerprint(names))
      this.#lists.set(path, names)
    }
    return this.#lists.get(path)
  }

  #disagree(path: string): never {
    this.conflict = path
    throw new RevisionConflict(path)
  }
}
