import { randomUUID } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { makeFolder } from '@millrace/kit/make-folder'
import type { Invalidations, Scope } from '../invalidations.ts'
import type { SteadyClock } from '../steady-clock.ts'
import type { StoreCounters } from '../store-counters.ts'
import { unlessGone } from '../unless-gone.ts'
import {
  checksumOf,
  decodeRecord,
  encodeRecord,
  type JournalRecord,
  RECORD_LENGTH,
} from './journal-record.ts'
import { notedLead, noteLead } from './noted-lead.ts'

/**
 * The first line: `millrace journal 3 `, the epoch before the first record and the origin, in 16 digits each, and their checksum. What is
 * older than the origin was invalidated by journals that are lost, for all that is known.
 */
const HEADER = /^(millrace journal 3 (\d{16}) (\d{16})) ([\da-f]{8})\n/
const HEADER_LENGTH = 62
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
const FILLER = '-'

/**
 * The invalidations of a folder as an append-only file that all its processes read along: the position of a record, counted
 * from the epoch in the file's header, is its version. A record is appended by one write in O_APPEND mode, which a local file
 * system does not interleave with others'.
 *
 * **Rotation.** Files are numbered. A seal ends one: what is appended behind it counts for nothing, and each process that reads it
 * makes the next file if there is none, of the records that are still needed, under their old versions. The seal says which those
 * are, so all make the same file, and `link` lets one of them be the first. A process may die anywhere in between.
 *
 * **Loss.** A file that is removed without a seal (a clean script, a reaper of temporary files) is noticed by its name, at every call.
 * The journal that is begun then has the present as its origin, so that nothing of which the invalidations are lost is served; the same
 * where an older state of the folder was put in its place, or the first line is damaged.
 *
 * **Damage.** Records have checksums. One that is torn or damaged counts as an invalidation of everything, as what it invalidated is not known.
 */
export class Journal {
  readonly #folder: string
  readonly #invalidations: Invalidations
  readonly #clock: SteadyClock
  readonly #counters: StoreCounters
  #number = 0
  #path = ''
  /** -1 where it could not be opened anew; then the next call does. */
  #file = -1
  #inode = -1
  #origin = 0
  /** Epoch of position 0. */
  #base = 0
  #position = 0
  /** The latest epoch of the files that were given up. */
  #known = 0

  /**
   * Opens the folder's journal, or begins one whose epochs come after those of any journal before it.
   *
   * @param folder made if it does not exist
   * @param clock made to go on from where processes before have noted it
   * @param counters count damage
   */
  constructor(
    folder: string,
    invalidations: Invalidations,
    clock: SteadyClock,
    counters: StoreCounters,
  ) {
    this.#folder = folder
    this.#invalidations = invalidations
    this.#clock = clock
    this.#counters = counters
    this.#open()
  }

  /** Length of the present file, in bytes. */
  get bytes(): number {
    return this.#position
  }

  /** When some process last noted the time in the file, or appended to it, in ms. */
  get time(): number {
    return statSync(this.#path, { throwIfNoEntry: false })?.mtimeMs ?? 0
  }

  /** Notes the time for processes to come, and by how much it leads the wall clock. */
  noteTime(now: number): void {
    unlessGone(() => utimesSync(this.#path, now / 1_000, now / 1_000))
    unlessGone(() => noteLead(this.#folder, this.#clock.lead))
  }

  /**
   * Notes what other processes have appended; whether they ended the file, or it was lost. One `stat` if nothing was.
   */
  catchUp(): boolean {
    if (this.#file !== -1) {
      const stat = statSync(this.#path, { throwIfNoEntry: false })
      // Shorter: an older state was written over it.
      const there = stat !== undefined && stat.ino === this.#inode && stat.size >= this.#position
      if (there && stat.size - this.#position < RECORD_LENGTH) return false
      if (this.#readOn()) return true
      if (there) return false
    }
    this.#known = Math.max(this.#known, this.#invalidations.epoch)
    this.#reopen()
    if (this.#invalidations.epoch < this.#known) {
      // An older state of the folder was put in its place, which does not know what was invalidated since.
      this.#begin(this.#number + 1, this.#known)
      this.#reopen()
    }
    return true
  }

  /** @param name hash of the key or tag, 22 characters; ignored for `all` */
  append(scope: Scope, name: string, expire: boolean): void {
    const letter = { key: 'k', tag: 't', all: 'a' }[scope]
    const record = encodeRecord(expire ? letter.toUpperCase() : letter, scope === 'all' ? '' : name)
    if (this.#file === -1) this.catchUp()
    // Behind a seal or in a lost file it counts for nothing, before a seal it counts twice, which is harmless.
    do this.#append(record)
    while (this.catchUp())
  }

  /** Goes on in a new file, without the records up to the epoch `settled`, which no stored value needs any more. */
  rotate(settled: number): void {
    const from = Math.max(settled, this.#base + HEADER_LENGTH)
    this.#append(encodeRecord(SEAL, digits(from)))
    this.catchUp()
  }

  close(): void {
    this.#abandon()
  }

  /** @throws if the disk is full; the part of a record that was written then counts as an invalidation of everything */
  #append(record: string): void {
    const written = writeSync(this.#file, record)
    if (written < record.length) throw new Error('a record could not be written as a whole')
  }

  #reopen(): void {
    this.#abandon()
    this.#open()
  }

  /** Makes a journal of which nothing before the present is known. Its epochs come after `least` and those of any before it. */
  #begin(number: number, least: number): void {
    const now = Math.max(Math.floor(this.#clock.now() * 1_000), least)
    this.#create(number, now, now + HEADER_LENGTH, Buffer.alloc(0))
  }

  #abandon(): void {
    if (this.#file !== -1) closeSync(this.#file)
    this.#file = -1
  }

  #open(): void {
    makeFolder(this.#folder, 0o700)
    this.#clock.follow(notedLead(this.#folder))
    // Where the folder was removed, that went with it.
    if (this.#clock.lead !== 0) noteLead(this.#folder, this.#clock.lead)
    for (;;) {
      const [number, ...older] = this.#numbers()
      if (number === undefined) {
        this.#begin(1, 0)
        continue
      }
      // Not to be made anew if it was just removed.
      const file = unlessGone(() =>
        openSync(this.#pathOf(number), constants.O_RDWR | constants.O_APPEND),
      )
      if (file === undefined) continue
      this.#file = file
      if (!this.#readHeader()) {
        this.#counters.corrupt++
        this.#abandon()
        this.#begin(number + 1, this.#invalidations.epoch)
        continue
      }
      // As long as it is open no other file gets its number.
      this.#inode = fstatSync(file).ino
      this.#number = number
      this.#path = this.#pathOf(number)
      // A process that still has one of these open reads its seal and comes here.
      for (const sealed of older) unlessGone(() => unlinkSync(this.#pathOf(sealed)))
      break
    }
    this.#position = HEADER_LENGTH
    // Fences from before are outdated, as what was invalidated then is not known any more.
    this.#invalidations.begin(this.#base + HEADER_LENGTH, this.#origin)
    this.catchUp()
  }

  /** Whether it is what was written. */
  #readHeader(): boolean {
    const header = HEADER.exec(this.#read(0, HEADER_LENGTH).toString('latin1'))
    if (header === null || header[4] !== checksumOf(header[1]!)) return false
    this.#base = Number(header[2])
    this.#origin = Number(header[3])
    return true
  }

  /** Reads the records that were appended; whether there was a seal among them. */
  #readOn(): boolean {
    const bytes = this.#readRest()
    let offset = 0
    while (offset + RECORD_LENGTH <= bytes.length) {
      const end = endOfRecord(bytes, offset)
      const record = decodeRecord(bytes.toString('latin1', offset, end))
      this.#position += end - offset
      offset = end
      if (record?.letter === SEAL) {
        this.#succeed(Number(record.body.slice(0, 16)))
        return true
      }
      if (record === undefined) this.#counters.corrupt++
      this.#note(record)
    }
    return false
  }

  /** Leaves the sealed file for the next one. */
  #succeed(settled: number): void {
    const carried = this.#read(settled - this.#base, this.#position - RECORD_LENGTH)
    const records = Buffer.concat([carried, Buffer.from(encodeRecord(FILLER, ''))])
    this.#create(this.#number + 1, settled - HEADER_LENGTH, this.#origin, records)
    this.#reopen()
  }

  #note(record: JournalRecord | undefined): void {
    const version = this.#base + this.#position
    if (record?.letter === FILLER) {
      this.#invalidations.epoch = version
      return
    }
    const what = record && letters[record.letter]
    if (what === undefined) this.#invalidations.note('all', '', false, version)
    else this.#invalidations.note(what.scope, record!.body, what.expire, version)
  }

  #readRest(): Buffer {
    const pieces: Buffer[] = []
    for (let at = this.#position; ; ) {
      const piece = this.#read(at, at + 65_536)
      pieces.push(piece)
      at += piece.length
      if (piece.length < 65_536) return pieces.length === 1 ? piece : Buffer.concat(pieces)
    }
  }

  #read(from: number, to: number): Buffer {
    const bytes = Buffer.alloc(to - from)
    return bytes.subarray(0, readSync(this.#file, bytes, 0, bytes.length, from))
  }

  #pathOf(number: number): string {
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
  #create(number: number, base: number, origin: number, records: Buffer): void {
    const temporary = join(this.#folder, 'temporary', randomUUID())
    const content = `millrace journal 3 ${digits(base)} ${digits(origin)}`
    const header = `${content} ${checksumOf(content)}\n`
    try {
      // Cleaned away, perhaps.
      makeFolder(join(this.#folder, 'temporary'), 0o700)
      writeFileSync(temporary, Buffer.concat([Buffer.from(header), records]))
      if (!(this.#numbers()[0]! > number)) linkSync(temporary, this.#pathOf(number))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    } finally {
      unlessGone(() => unlinkSync(temporary))
    }
  }
}

function digits(epoch: number): string {
  return `${epoch}`.padStart(16, '0')
}

/**
 * Where the record that begins at `offset`, and of which all bytes are there, ends; a torn one with the next line feed. Where there is none,
 * it is the line feed that was damaged.
 */
function endOfRecord(bytes: Buffer, offset: number): number {
  const end = bytes.indexOf(LINE_FEED, offset)
  return end === -1 ? offset + RECORD_LENGTH : end + 1
}
