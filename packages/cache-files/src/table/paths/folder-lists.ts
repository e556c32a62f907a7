import { readdirSync, statSync } from 'node:fs'
import { Cache } from '@millrace/cache-core'
import { fileReadError } from '../../errors.ts'
import { type FileStamp, isSettled, sameStamp, stampOf } from '../file-stamp.ts'
import type { Trust } from '../trust/trust.ts'

/** A folder's names, or that it is none. */
export interface FolderList {
  /** Sorted by code unit; `undefined` if there is no folder, or this process may not list it. */
  readonly names: readonly string[] | undefined
  /** Of the names, those of folders. Links to folders are not among them. */
  readonly folders: ReadonlySet<string>
  /** Of the folder; `undefined` if there is none. */
  readonly stamp: FileStamp | undefined
}

/** What `readdir` tells. */
type Listing = Pick<FolderList, 'names' | 'folders'>

interface HeldList extends FolderList {
  /** Whether an equal stamp later proves equal names. */
  settled: boolean
  trust: number
}

/**
 * Names in folders, listed again only when the folder's stamp has changed: it does when a name appears or goes. The same object comes
 * back for as long as stamp and names are the same.
 */
export class FolderLists {
  readonly #held: Cache<string, HeldList>
  readonly #trust: Trust
  readonly #racyWindow: number
  readonly #now: () => number

  constructor(limit: number, trust: Trust, racyWindow: number, now: () => number) {
    this.#held = new Cache({ maxEntries: limit })
    this.#trust = trust
    this.#racyWindow = racyWindow
    this.#now = now
  }

  /** Folders held. */
  get size(): number {
    return this.#held.size
  }

  /**
   * Blocks for a `stat`, and for a `readdir` where the folder has changed.
   *
   * @throws {FileReadError} with the reason `failed`: what is in the folder is unknown, for instance for want of descriptors
   */
  list(path: string): FolderList {
    const held = this.#held.get(path)
    if (held !== undefined && this.#trust.holds(held.trust)) return held
    const begun = this.#now()
    const stamp = folderStamp(path)
    const settled = stamp !== undefined && isSettled(stamp, begun, this.#racyWindow)
    const unmoved = held !== undefined && sameFolder(held.stamp, stamp)
    const trust = this.#trust.mark(path)
    if (unmoved && (stamp === undefined || held.settled)) {
      held.trust = trust
      return held
    }
    const listing = stamp === undefined ? NOTHING : readFolder(path)
    if (unmoved && sameListing(held, listing)) {
      held.settled = settled
      held.trust = trust
      return held
    }
    const list = { ...listing, stamp, settled, trust }
    this.#held.set(path, list)
    return list
  }

  /** The next call looks again. */
  doubt(path: string): void {
    const held = this.#held.peek(path)
    if (held !== undefined) held.trust = 0
  }

  /** Stamps that lie in the future from now on prove nothing. */
  clockSetBack(now: number): void {
    for (const held of this.#held.values()) {
      held.settled &&= held.stamp !== undefined && isSettled(held.stamp, now, this.#racyWindow)
    }
  }

  paths(): Iterable<string> {
    return this.#held.keys()
  }

  forget(path: string): void {
    this.#held.delete(path)
  }
}

function folderStamp(path: string): FileStamp | undefined {
  try {
    const stat = statSync(path, { throwIfNoEntry: false })
    return stat?.isDirectory() ? stampOf(stat) : undefined
  } catch {
    // Not to be looked at is as good as not there: the names are unknown either way.
    return undefined
  }
}

const NOTHING: Listing = { names: undefined, folders: new Set() }

function readFolder(path: string): Listing {
  try {
    const entries = readdirSync(path, { withFileTypes: true })
    const folders = entries.filter(entry => entry.isDirectory()).map(({ name }) => name)
    return { names: entries.map(({ name }) => name).sort(), folders: new Set(folders) }
  } catch (cause) {
    const error = fileReadError(path, cause)
    // It went, or may not be listed.
    if (error.reason !== 'failed') return NOTHING
    throw error
  }
}

/** Whether nothing came or went between two lists of a folder, also where the first was forgotten meanwhile. */
export function sameList(a: FolderList, b: FolderList): boolean {
  return a === b || (sameFolder(a.stamp, b.stamp) && sameListing(a, b))
}

function sameFolder(a: FileStamp | undefined, b: FileStamp | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameStamp(a, b)
}

function sameListing(a: Listing, b: Listing): boolean {
  if (a.names === undefined || b.names === undefined) return a.names === b.names
  return (
    a.names.length === b.names.length &&
    a.names.every((name, index) => name === b.names?.[index]) &&
    a.folders.size === b.folders.size &&
    a.folders.isSubsetOf(b.folders)
  )
}
