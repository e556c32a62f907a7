import { hash, randomUUID } from 'node:crypto'
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { decodeEnvelope, type Envelope, encodeEnvelope } from './envelope.ts'
import { storableKey } from './storable-key.ts'
import type { StoreCounters } from './store-counters.ts'

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
  return { key: stored, path: join(hex.slice(0, 2), hex.slice(2)), name: journalName(digest) }
}

/** A tag's name in the journal. */
export function tagName(tag: string): string {
  return journalName(hash('sha256', storableKey(tag), 'buffer'))
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

  /** Makes the folders. */
  constructor(folder: string, counters: StoreCounters) {
    this.#counters = counters
    this.#entries = join(folder, 'entries')
    this.#temporary = join(folder, 'temporary')
    mkdirSync(this.#entries, { recursive: true })
    mkdirSync(this.#temporary, { recursive: true })
  }

  /** The envelope in a file, or `undefined` if there is none; one that cannot be read is removed. */
  read(path: string): Envelope | undefined {
    const bytes = unlessGone(() => readFileSync(join(this.#entries, path)))
    const envelope = bytes && decodeEnvelope(bytes)
    if (bytes !== undefined && envelope === undefined) {
      this.#counters.corrupt++
      this.remove(path)
    }
    return envelope
  }

  write(path: string, envelope: Envelope): void {
    const temporary = join(this.#temporary, randomUUID())
    const target = join(this.#entries, path)
    writeFileSync(temporary, encodeEnvelope(envelope), { flag: 'wx', mode: 0o600 })
    try {
      renameSync(temporary, target)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      mkdirSync(join(this.#entries, path.slice(0, 2)), { recursive: true })
      renameSync(temporary, target)
    }
  }

  remove(path: string): void {
    unlessGone(() => unlinkSync(join(this.#entries, path)))
  }

  /** Notes that a file was used, in its mtime. */
  markUsed(path: string): void {
    const now = Date.now()
    const stat = this.stat(path)
    if (stat === undefined || now - stat.mtimeMs < USE_RESOLUTION) return
    unlessGone(() => utimesSync(join(this.#entries, path), now / 1_000, now / 1_000))
  }

  stat(path: string): Stats | undefined {
    return statSync(join(this.#entries, path), { throwIfNoEntry: false })
  }

  /** Paths of all files, in no particular order. */
  *paths(): Generator<string, void, undefined> {
    for (const folder of readdirSync(this.#entries)) {
      for (const name of readdirSync(join(this.#entries, folder))) yield join(folder, name)
    }
  }

  /** Removes what processes that died left half written. */
  removeLeftovers(): void {
    for (const name of readdirSync(this.#temporary)) {
      const path = join(this.#temporary, name)
      const stat = statSync(path, { throwIfNoEntry: false })
      if (stat === undefined || Date.now() - stat.mtimeMs <= TEMPORARY_LIFE) continue
      unlessGone(() => unlinkSync(path))
    }
  }
}

function unlessGone<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
