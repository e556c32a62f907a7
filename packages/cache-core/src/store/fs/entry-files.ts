import { hash, randomUUID } from 'node:crypto'
import {
  closeSync,
  fstatSync,
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
import { makeFolder } from '@millrace/kit/make-folder'
import {
  decodeEntry,
  encodeEntry,
  HEADER_LENGTH,
  type StoredEntry,
} from '../format/entry-format.ts'
import { storableKey } from '../format/storable-key.ts'
import type { StoreCounters } from '../store-counters.ts'
import { unlessGone } from '../unless-gone.ts'

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
/** Files of which that is remembered. */
const NOTED_AT_MOST = 4_096
/** A temporary file older than this, in ms, belongs to a process that died. */
const TEMPORARY_LIFE = 3_600_000

/** Places of keys used lately: hashing a key takes longer than a lookup by some microseconds. */
const places = new Map<string, Place>()
const PLACES_AT_MOST = 4_096

export function placeOf(key: string): Place {
  const known = places.get(key)
  if (known !== undefined) return known
  const stored = storableKey(key)
  const digest = hash('sha256', stored, 'buffer')
  const hex = digest.toString('hex')
  const place = {
    key: stored,
    path: `${hex.slice(0, 2)}/${hex.slice(2)}`,
    name: journalName(digest),
  }
  // Long keys are not worth their memory.
  if (key.length <= 256) {
    if (places.size === PLACES_AT_MOST) places.clear()
    places.set(key, place)
  }
  return place
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
  /** When the use of a file was last noted, ms since 1970. */
  readonly #noted = new Map<string, number>()

  /** Makes the folder. */
  constructor(folder: string, counters: StoreCounters) {
    this.#counters = counters
    this.#entries = join(folder, 'entries')
    this.#temporary = join(folder, 'temporary')
    makeFolder(this.#entries, 0o700)
  }

  /**
   * The entry in a file, or `undefined` if there is none; one that cannot be decoded is removed.
   *
   * @param use whether to note in the file's mtime that it was used, if that was not noted lately
   */
  read(path: string, use: boolean): StoredEntry | undefined {
    const target = `${this.#entries}/${path}`
    const bytes = unlessGone(() => contentOf(target))
    if (bytes === undefined) return undefined
    if (use) this.#noteUse(path, target)
    const entry = decodeEntry(bytes)
    if (entry === undefined) {
      this.#counters.corrupt++
      this.remove(path)
    }
    return entry
  }

  /** In the file's mtime, once an hour; which files need not be looked at for that is remembered. */
  #noteUse(path: string, target: string): void {
    const now = Date.now()
    const noted = this.#noted.get(path)
    if (noted !== undefined && now - noted < USE_RESOLUTION) return
    unlessGone(() => {
      const { mtimeMs } = statSync(target)
      const due = now - mtimeMs >= USE_RESOLUTION
      if (due) utimesSync(target, now / 1_000, now / 1_000)
      if (this.#noted.size === NOTED_AT_MOST) this.#noted.clear()
      this.#noted.set(path, due ? now : mtimeMs)
    })
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
  makeFolder(folder, 0o700)
  return work()
}

/** Files up to this size are read without asking for it first. */
const scratch = Buffer.allocUnsafeSlow(65_536)

function contentOf(path: string): Buffer {
  const file = openSync(path, 'r')
  try {
    const read = readSync(file, scratch, 0, scratch.length, 0)
    if (read < scratch.length) return Buffer.from(scratch.subarray(0, read))
    const { size } = fstatSync(file)
    const bytes = Buffer.allocUnsafe(size)
    return bytes.subarray(0, readSync(file, bytes, 0, size, 0))
  } finally {
    closeSync(file)
  }
}
