import { randomUUID } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  openSync,
  readdirSync,
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
/** One letter, 22 characters of a name's hash or 16 digits and dashes, and a line feed. */
const RECORD_LENGTH = 24
const LINE_FEED = 10

const letters: Record<string, { scope: Scope; expire: boolean }> = {
  k: { scope: 'key', expire: false },
  K: { scope: 'key', expire: true },
  t: { scope: 'tag', expire: false },
  T: { scope: 'tag', expire: true },
  a: { scope: 'all', expire: false },
  A: { scope: 'all', expire: true },
}
/** The journal ends here; its successor begins after the epoch in 16 digits. */
const SEAL = 's'
/** Nothing. Stands in a successor where the seal was, so that epochs go on as before. */
const FILLER = `-${'-'.repeat(22)}\n`

/**
 * The invalidations of a folder as an append-only file that all its processes read along: the position of a record, counted
 * from the epoch in the file's header, is its version. A record is appended by one write in O_APPEND mode, which a local file
 * system does not interleave with others'.
 *
 * **Rotation.** Files are numbered. A seal ends one: what is appended behind it counts for nothing, and whoever reads it makes
 * the next file if nobody has, of the records that are still needed, under their old versions. The seal says which those are,
 * so all make the same file, and `link` lets one of them be the first. A process may die anywhere in between.
 */
export class Journal {
  readonly #folder: string
  readonly #invalidations: Invalidations
  #number = 0
  #file = -1
  /** Epoch of position 0. */
  #base = 0
  #position = 0

  /**
   * Opens the folder's journal, or begins one whose epochs come after those of any journal before it.
   *
   * @param folder has a folder `temporary`
   */
  constructor(folder: string, invalidations: Invalidations) {
    this.#folder = folder
    this.#invalidations = invalidations
    this.#open()
  }

  /** Length of the present file, in bytes. */
  get bytes(): number {
    return this.#position
  }

  /**
   * Notes what other processes have appended; whether they ended the file. One `fstat`, about a microsecond, if nothing was.
   */
  catchUp(): boolean {
    const { size } = fstatSync(this.#file)
    if (size - this.#position < RECORD_LENGTH) return false
    const bytes = this.#read(this.#position, size)
    let offset = 0
    while (offset + RECORD_LENGTH <= bytes.length) {
      const end = endOfRecord(bytes, offset)
      if (end === -1) break
      const record = bytes.toString('latin1', offset, end)
      offset = end
      this.#position += record.length
      if (record.length === RECORD_LENGTH && record.startsWith(SEAL)) {
        this.#succeed(Number(record.slice(1, 17)))
        return true
      }
      this.#note(record)
    }
    return false
  }

  /** @param name hash of the key or tag, 22 characters; ignored for `all` */
  append(scope: Scope, name: string, expire: boolean): void {
    const letter = { key: 'k', tag: 't', all: 'a' }[scope]
    const record = `${expire ? letter.toUpperCase() : letter}${scope === 'all' ? '-'.repeat(22) : name}\n`
    // Behind a seal it counts for nothing, before one it counts twice, which is harmless.
    do writeSync(this.#file, record)
    while (this.catchUp())
  }

  /** Goes on in a new file, without the records up to the epoch `settled`, which no stored value needs any more. */
  rotate(settled: number): void {
    const from = Math.max(settled, this.#base + HEADER_LENGTH)
    writeSync(this.#file, `${SEAL}${`${from}`.padStart(16, '0')}------\n`)
    this.catchUp()
  }

  close(): void {
    closeSync(this.#file)
  }

  #open(): void {
    for (;;) {
      const [number, ...older] = this.#numbers()
      if (number === undefined) {
        this.#create(1, Date.now() * 1_000, Buffer.alloc(0))
        continue
      }
      try {
        // Not to be made anew if it was just removed.
        this.#file = openSync(this.#path(number), constants.O_RDWR | constants.O_APPEND)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue
        throw error
      }
      this.#number = number
      // Whoever still has one of these open reads its seal and comes here.
      for (const sealed of older) unlessGone(() => unlinkSync(this.#path(sealed)))
      break
    }
    const base = HEADER.exec(this.#read(0, HEADER_LENGTH).toString('latin1'))?.[1]
    if (base === undefined) {
      closeSync(this.#file)
      throw new Error('its journal is damaged')
    }
    this.#base = Number(base)
    this.#position = HEADER_LENGTH
    // Fences from before are outdated, as what was invalidated then is not known any more.
    this.#invalidations.epoch = this.#base + HEADER_LENGTH
    this.#invalidations.forgetNames()
    this.catchUp()
  }

  /** Leaves the sealed file for the next one. */
  #succeed(settled: number): void {
    const carried = this.#read(settled - this.#base, this.#position - RECORD_LENGTH)
    const records = Buffer.concat([carried, Buffer.from(FILLER)])
    this.#create(this.#number + 1, settled - HEADER_LENGTH, records)
    closeSync(this.#file)
    this.#open()
  }

  #note(record: string): void {
    const version = this.#base + this.#position
    const what = letters[record[0]!]
    if (record === FILLER) this.#invalidations.epoch = version
    else if (what !== undefined && record.length === RECORD_LENGTH) {
      this.#invalidations.note(what.scope, record.slice(1, -1), what.expire, version)
      // A torn record; nobody knows what it invalidates, so everything.
    } else this.#invalidations.note('all', '', false, version)
  }

  #read(from: number, to: number): Buffer {
    const bytes = Buffer.alloc(to - from)
    return bytes.subarray(0, readSync(this.#file, bytes, 0, bytes.length, from))
  }

  #path(number: number): string {
    return join(this.#folder, `journal-${number}`)
  }

  /** Numbers of the journals there are, the last one first. */
  #numbers(): number[] {
    return readdirSync(this.#folder)
      .map(name => Number(/^journal-(\d+)$/.exec(name)?.[1] ?? 0))
      .filter(number => number > 0)
      .sort((a, b) => b - a)
  }

  /** Makes a journal in one step, so that no process sees half of it, unless it or a later one is there. */
  #create(number: number, base: number, records: Buffer): void {
    const temporary = join(this.#folder, 'temporary', randomUUID())
    const header = `millrace journal 1 ${`${base}`.padStart(16, '0')}\n`
    writeFileSync(temporary, Buffer.concat([Buffer.from(header), records]))
    try {
      if (!(this.#numbers()[0]! > number)) linkSync(temporary, this.#path(number))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    } finally {
      unlinkSync(temporary)
    }
  }
}

/** Where the record that begins at `offset` ends; a torn one with the next line feed, or -1 if that is still to come. */
function endOfRecord(bytes: Buffer, offset: number): number {
  const end = bytes.indexOf(LINE_FEED, offset)
  return end === -1 ? -1 : end + 1
}

function unlessGone(work: () => void): void {
  try {
    work()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
