import {
  closeSync,
  fstatSync,
  linkSync,
  openSync,
  readSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Invalidations, Scope } from './invalidations.ts'

/** Bytes of the first line: `millrace journal 1 ` and the epoch before the first record, in 16 digits. */
const HEADER = /^millrace journal 1 (\d{16})\n/
const HEADER_LENGTH = 36
/** One letter, 22 characters of a name's hash, and a line feed. */
const RECORD_LENGTH = 24

const letters: Record<string, { scope: Scope; expire: boolean }> = {
  k: { scope: 'key', expire: false },
  K: { scope: 'key', expire: true },
  t: { scope: 'tag', expire: false },
  T: { scope: 'tag', expire: true },
  a: { scope: 'all', expire: false },
  A: { scope: 'all', expire: true },
}

/**
 * The invalidations of a folder as an append-only file that all its processes read along: the position of a record is its
 * version. A record is appended by one write in O_APPEND mode, which a local file system does not interleave with others'.
 */
export class Journal {
  readonly #file: number
  readonly #invalidations: Invalidations
  /** Epoch of position 0. */
  readonly #base: number
  #position = HEADER_LENGTH

  /** Opens the folder's journal, or begins one whose epochs come after those of any journal before it. */
  constructor(folder: string, invalidations: Invalidations) {
    const path = join(folder, 'journal')
    begin(path)
    this.#file = openSync(path, 'a+')
    this.#invalidations = invalidations
    const header = Buffer.alloc(HEADER_LENGTH)
    readSync(this.#file, header, 0, HEADER_LENGTH, 0)
    const base = HEADER.exec(header.toString('latin1'))?.[1]
    if (base === undefined) {
      closeSync(this.#file)
      throw new Error('its journal is damaged')
    }
    this.#base = Number(base)
    // Fences of an earlier journal are outdated, as what was invalidated then is not known any more.
    invalidations.epoch = this.#base + HEADER_LENGTH
    invalidations.forgetNames()
    this.catchUp()
  }

  /** Notes what other processes have appended. One `fstat`, about a microsecond, if nothing was. */
  catchUp(): void {
    const { size } = fstatSync(this.#file)
    if (size <= this.#position) return
    const bytes = Buffer.alloc(size - this.#position)
    const read = readSync(this.#file, bytes, 0, bytes.length, this.#position)
    for (let offset = 0; offset + RECORD_LENGTH <= read; offset += RECORD_LENGTH) {
      this.#position += RECORD_LENGTH
      this.#note(bytes.toString('latin1', offset, offset + RECORD_LENGTH))
    }
  }

  /** @param name hash of the key or tag, 22 characters; ignored for `all` */
  append(scope: Scope, name: string, expire: boolean): void {
    const letter = { key: 'k', tag: 't', all: 'a' }[scope]
    const record = `${expire ? letter.toUpperCase() : letter}${scope === 'all' ? '-'.repeat(22) : name}\n`
    writeSync(this.#file, record)
    this.catchUp()
  }

  close(): void {
    closeSync(this.#file)
  }

  #note(record: string): void {
    const version = this.#base + this.#position
    const what = letters[record[0]!]
    if (what !== undefined && record.endsWith('\n')) {
      this.#invalidations.note(what.scope, record.slice(1, -1), what.expire, version)
      // A torn record shifts all that follow; nobody knows what they invalidate, so everything.
    } else this.#invalidations.note('all', '', false, version)
  }
}

/** Makes the journal with its header in one step, so that no process sees half a header. */
function begin(path: string): void {
  const temporary = `${path}.${process.pid}-${Math.random().toString(36).slice(2)}`
  const base = `${Date.now() * 1_000}`.padStart(16, '0')
  writeFileSync(temporary, `millrace journal 1 ${base}\n`)
  try {
    linkSync(temporary, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    unlinkSync(temporary)
  }
}
