import { hash, randomUUID } from 'node:crypto'
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import {
  decodeEntry,
  encodeEntry,
  HEADER_LENGTH,
  type StoredEntry,
} from '../format/entry-format.ts'
import { storableKey } from '../format/storable-key.ts'
import type { StoreCounters } from '../store-counters.ts'
import { unlessGone } from './unless-gone.ts'

/** Where a key's value lies. */
export interface Place {
  /** The key as stored. */
  readonly key: string
  /** Path of the file below the folder of entries, made of the key's hash alone. */
  readonly path: string
  /** Name of the key in the journal. */
  readonly name: string
}

/** A file is marked as used when its last mark is older than this, in ms, so that most reads write nothing. */
const USE_RESOLUTION = 3_600_000
/** A temporary file older than this, in ms, belongs to a process that died. */
const TEMPORARY_LIFE = 3_600_000

export function placeOf(key: string): Place {
  const stored = storableKey(key)
  const digest = hash('sha256', stored, 'buffer')
  const hex = digest.toString('hex')
  return { key: stored, path: `${hex.slice(0, 2)}/${hex.slice(2)}`, name: journalName(digest) }
}

/** A tag's name in the journal. */
export function tagName(storableTag: string): string {
  return journalName(hash('sha256', storableTag, 'buffer'))
}

/** 132 bits of a SHA-256. */
function journalName(digest: Buffer): string {
  return digest.toString('base64url', 0, 17).slice(0, 22)
}

/**
 * One file per value, each written aside and renamed, so that readers see the old value or the new one. Other processes may do
 * the same at any time: a file that is gone when it is looked for is nothing special.
 */
export class EntryFiles {
  readonly #entries: string
  readonly #temporary: string
  readonly #counters: StoreCounters

  /** Makes the folder. */
  constructor(folder: string, counters: StoreCounters) {
    this.#counters = counters
    this.#entries = join(folder, 'entries')
    this.#temporary = join(folder, 'temporary')
    mkdirSync(this.#entries, { recursive: true, mode: 0o700 })
  }

  /**
   * The entry in a file, or `undefined` if there is none; one that cannot be decoded is removed.
   *
   * @param use whether to note in the file's mtime that it was used, if that was not noted lately
   */
  read(path: string, use: boolean): StoredEntry | undefined {
    const target = `${this.#entries}/${path}`
    const bytes = unlessGone(() => contentOf(target, use))
    if (bytes === undefined) return undefined
    const entry = decodeEntry(bytes)
    if (entry === undefined) {
      this.#counters.corrupt++
      this.remove(path)
    }
    return entry
  }

  /**
   * Writes a file aside and puts it in its place in one step.
   *
   * @param announce is called in between, when nothing can fail any more for lack of space; what it returns becomes the version
   */
  write(path: string, entry: StoredEntry, announce?: () => number): void {
    const temporary = `${this.#temporary}/${randomUUID()}`
    const folder = `${this.#entries}/${path.slice(0, 2)}`
    try {
      const file = inFolder(this.#temporary, () => openSync(temporary, 'wx', 0o600))
      try {
        writeFileSync(file, encodeEntry(entry))
        if (announce !== undefined) {
          const bytes = encodeEntry({ ...entry, version: announce() })
          writeSync(file, bytes, 0, HEADER_LENGTH, 0)
        }
      } finally {
        closeSync(file)
      }
      inFolder(folder, () => renameSync(temporary, `${this.#entries}/${path}`))
    } catch (error) {
      // On a full disk the first half of a value must not take the space that is left.
      unlessGone(() => unlinkSync(temporary))
      throw error
    }
  }

  /** Whether there was one. */
  remove(path: string): boolean {
    return (
      unlessGone(() => {
        unlinkSync(join(this.#entries, path))
        return true
      }) ?? false
    )
  }

  stat(path: string): Stats | undefined {
    return statSync(join(this.#entries, path), { throwIfNoEntry: false })
  }

  /** Paths of all files, in no particular order. */
  *paths(): Generator<string, void, undefined> {
    for (const folder of unlessGone(() => readdirSync(this.#entries)) ?? []) {
      const names = unlessGone(() => readdirSync(join(this.#entries, folder))) ?? []
      for (const name of names) yield `${folder}/${name}`
    }
  }

  /** Removes what processes that died left half written. */
  removeLeftovers(): void {
    for (const name of unlessGone(() => readdirSync(this.#temporary)) ?? []) {
      const path = join(this.#temporary, name)
      const stat = statSync(path, { throwIfNoEntry: false })
      if (stat === undefined || Date.now() - stat.mtimeMs <= TEMPORARY_LIFE) continue
      unlessGone(() => unlinkSync(path))
    }
  }
}

/** Runs `work`, if need be once more after making the folder, which may never have been needed or have been cleaned away. */
function inFolder<T>(folder: string, work: () => T): T {
  const done = unlessGone(() => ({ result: work() }))
  if (done !== undefined) return done.result
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return work()
}

function contentOf(path: string, use: boolean): Buffer {
  const file = openSync(path, 'r')
  try {
    const { size, mtimeMs } = fstatSync(file)
    const bytes = Buffer.allocUnsafe(size)
    const read = readSync(file, bytes, 0, size, 0)
    const now = Date.now()
    if (use && now - mtimeMs >= USE_RESOLUTION) {
      unlessGone(() => utimesSync(path, now / 1_000, now / 1_000))
    }
    return bytes.subarray(0, read)
  } finally {
    closeSync(file)
  }
}
