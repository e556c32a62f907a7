import { randomUUID } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  mkdirSync,
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
import type { Invalidations, Scope } from '../invalidations.ts'
import type { SteadyClock } from '../steady-clock.ts'
import { unlessGone } from '../unless-gone.ts'
import { notedLead, noteLead } from './noted-lead.ts'

/**
 * The first line: `millrace journal 2 `, the epoch before the first record and the origin, in 16 digits each. What is older than the
 * origin was invalidated by journals that are lost, for all that is known.
 */
const HEADER = /^millrace journal 2 (\d{16}) (\d{16})\n/
const HEADER_LENGTH = 53
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
 * **Rotation.** Files are numbered. A seal ends one: what is appended behind it counts for nothing, and each process that reads it
 * makes the next file if there is none, of the records that are still needed, under their old versions. The seal says which those
 * are, so all make the same file, and `link` lets one of them be the first. A process may die anywhere in between.
 *
 * **Loss.** A file that is removed without a seal (a clean script, a reaper of temporary files) is noticed by its name, at every call.
 * The journal that is begun then has the present as its origin, so that nothing of which the invalidations are lost is served; the same
 * where an older state of the folder was put in its place.
 */
export class Journal {
  readonly #folder: string
  readonly #invalidations: Invalidations
  readonly #clock: SteadyClock
  #number = 0
  #path = ''
  #file = -1
  #inode = -1
  #origin = 0
  /** Epoch of position 0. */
  #base = 0
  #position = 0

  /**
   * Opens the folder's journal, or begins one whose epochs come after those of any journal before it.
   *
   * @param folder made if it does not exist
   * @param clock made to go on from where processes before have noted it
   */
  constructor(folder: string, invalidations: Invalidations, clock: SteadyClock) {
    this.#folder = folder
    this.#invalidations = invalidations
    this.#clock = clock
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
    const stat = statSync(this.#path, { throwIfNoEntry: false })
    // Shorter: an older state was written over it.
    const there = stat !== undefined && stat.ino === this.#inode && stat.size >= this.#position
    if (there && stat.size - this.#position < RECORD_LENGTH) return false
    if (this.#readOn()) return true
    if (there) return false
    const known = this.#invalidations.epoch
    this.#reopen()
    if (this.#invalidations.epoch >= known) return true
    // An older state of the folder was put in its place, which does not know what was invalidated since.
    this.#begin(this.#number + 1, known)
    this.#reopen()
    return true
  }

  /** @param name hash of the key or tag, 22 characters; ignored for `all` */
  append(scope: Scope, name: string, expire: boolean): void {
    const letter = { key: 'k', tag: 't', all: 'a' }[scope]
    const record = `${expire ? letter.toUpperCase() : letter}${scope === 'all' ? '-'.repeat(22) : name}\n`
    // Behind a seal or in a lost file it counts for nothing, before a seal it counts twice, which is harmless.
    do this.#append(record)
    while (this.catchUp())
  }

  /** Goes on in a new file, without the records up to the epoch `settled`, which no stored value needs any more. */
  rotate(settled: number): void {
    const from = Math.max(settled, this.#base + HEADER_LENGTH)
    this.#append(`${SEAL}${`${from}`.padStart(16, '0')}------\n`)
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
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
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
      // As long as it is open no other file gets its number.
      this.#inode = fstatSync(file).ino
      this.#number = number
      this.#path = this.#pathOf(number)
      // Whoever still has one of these open reads its seal and comes here.
      for (const sealed of older) unlessGone(() => unlinkSync(this.#pathOf(sealed)))
      break
    }
    const header = HEADER.exec(this.#read(0, HEADER_LENGTH).toString('latin1'))
    if (header === null) {
      this.#abandon()
      throw new Error('its journal is damaged')
    }
    this.#base = Number(header[1])
    this.#origin = Number(header[2])
    this.#position = HEADER_LENGTH
    // Fences from before are outdated, as what was invalidated then is not known any more.
    this.#invalidations.begin(this.#base + HEADER_LENGTH, this.#origin)
    this.catchUp()
  }

  /** Reads the records that were appended; whether there was a seal among them. */
  #readOn(): boolean {
    const bytes = this.#readRest()
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

  /** Leaves the sealed file for the next one. */
  #succeed(settled: number): void {
    const carried = this.#read(settled - this.#base, this.#position - RECORD_LENGTH)
    const records = Buffer.concat([carried, Buffer.from(FILLER)])
    this.#create(this.#number + 1, settled - HEADER_LENGTH, this.#origin, records)
    this.#reopen()
  }

  #note(record: string): void {
    const version = this.#base + this.#position
    const what = letters[record[0]!]
    if (record === FILLER) this.#invalidations.epoch = version
    else if (what !== undefined && record.length === RECORD_LENGTH) {
      this.#invalidations.note(what.scope, record.slice(1, -1), what.expire, version)
      // A torn record: what it invalidates is not known, so everything.
    } else this.#invalidations.note('all', '', false, version)
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
    const header = `millrace journal 2 ${digits(base)} ${digits(origin)}\n`
    try {
      // Cleaned away, perhaps.
      mkdirSync(join(this.#folder, 'temporary'), { recursive: true, mode: 0o700 })
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

/** Where the record that begins at `offset` ends; a torn one with the next line feed, or -1 if that is still to come. */
function endOfRecord(bytes: Buffer, offset: number): number {
  const end = bytes.indexOf(LINE_FEED, offset)
  return end === -1 ? -1 : end + 1
}
