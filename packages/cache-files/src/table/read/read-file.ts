import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { FileReadError, fileReadError, isStarved } from '../../errors.ts'
import { contentHash } from '../../value/content-hash.ts'
import { type FileStamp, sameStamp, stampOf } from '../file-stamp.ts'
import { type OpenQueueWait, openQueue } from './open-queue.ts'
import { isPseudo } from './pseudo-file-systems.ts'

/** Bytes of a file and what they are known by, taken together. */
export interface FileRead {
  readonly bytes: Buffer
  /** SHA-256 of the bytes, in hex. */
  readonly hash: string
  readonly stamp: FileStamp
  /** Whether the file stood still while it was read: only then do the stamp and the bytes belong together. */
  readonly stable: boolean
  /** Whether an equal stamp later can prove equal bytes: not where the kernel makes the content up. */
  readonly stampable: boolean
  /** Whether the file has other names too, under which it may be changed. */
  readonly linked: boolean
}

/** Neither waits for what a pipe's other end or a device has to give, nor becomes the process's terminal what is one. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY

/** How often a file that changes while it is read is read again. */
const ATTEMPTS = 3
/** Bytes up to which reading a file takes less time than handing it to another thread. */
const SMALL = 2 ** 18
/** Bytes of one read: the system takes no more than 2^31 - 1 at once. */
const CHUNK = 2 ** 26

/**
 * Reads a file to its end between two `stat`s of it, the last one of the open file: if they agree, nothing wrote to it meanwhile and the
 * stamp is that of these bytes, whatever the path names by now. Sizes that are not true (0 in /proc, 4,096 in /sys) do not matter.
 *
 * @param limit bytes
 * @throws {FileReadError}
 */
export function readFileSync(path: string, limit: number): FileRead {
  return readUpTo(path, limit, Infinity)!
}

/**
 * {@link readFileSync} of a file for which that takes less time than handing it to another thread; `undefined` for a larger one, and where
 * no descriptor is left, for which {@link readFile} can wait.
 *
 * @throws {FileReadError}
 */
export function readSmallFileSync(path: string, limit: number): FileRead | undefined {
  try {
    return readUpTo(path, limit, SMALL)
  } catch (error) {
    if (isStarved(error)) return undefined
    throw error
  }
}

function readUpTo(path: string, limit: number, largest: number): FileRead | undefined {
  let file: number | undefined
  try {
    let before = statOf(path)
    if (before.size > largest) return undefined
    file = openSync(path, FLAGS)
    for (let attempt = 1; ; attempt++) {
      const filling = new Filling(path, before, limit)
      let count: number
      do {
        const { buffer, offset, room } = filling
        count = readSync(file, buffer, offset, room, offset)
      } while (filling.took(count))
      const after = fstatSync(file)
      const stable = sameStamp(before, after)
      if (stable || attempt === ATTEMPTS) return filling.finish(stable)
      before = after
    }
  } catch (error) {
    throw error instanceof FileReadError ? error : fileReadError(path, error)
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

/** Looked at before it is opened: that lets the writer of a pipe go on that waits for a reader, and a device do anything. */
function statOf(path: string): Stats {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) throw new FileReadError(path, 'missing')
  if (!stat.isFile()) throw new FileReadError(path, 'not-a-file')
  return stat
}

/**
 * {@link readFileSync} without blocking the thread, of a file that {@link readSmallFileSync} did not read; about four times the CPU time
 * for small files. Few run at once; where no descriptor is left, it waits for one.
 */
export async function readFile(
  path: string,
  limit: number,
  wait: OpenQueueWait,
): Promise<FileRead> {
  return await openQueue.run(() => readOpened(path, limit, wait.signal), wait)
}

async function readOpened(path: string, limit: number, signal?: AbortSignal): Promise<FileRead> {
  let file: FileHandle
  try {
    statOf(path)
    file = await open(path, FLAGS)
  } catch (error) {
    throw error instanceof FileReadError ? error : fileReadError(path, error)
  }
  try {
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted()
      const before = await file.stat()
      const filling = new Filling(path, before, limit)
      let count: number
      do {
        signal?.throwIfAborted()
        const { buffer, offset, room } = filling
        count = (await file.read(buffer, offset, room, offset)).bytesRead
      } while (filling.took(count))
      const stable = sameStamp(before, await file.stat())
      if (stable || attempt === ATTEMPTS) return filling.finish(stable)
    }
  } catch (error) {
    if (error instanceof FileReadError || signal?.aborted) throw error
    throw fileReadError(path, error)
  } finally {
    await file.close()
  }
}

/** One attempt to read a file whole, of which the size is only a hint. */
class Filling {
  readonly #path: string
  readonly #before: Stats
  readonly #limit: number
  /** One byte more than expected, so that the end shows without a further read. Not pooled: contents live long. */
  buffer: Buffer
  offset = 0

  /** @throws {FileReadError} */
  constructor(path: string, before: Stats, limit: number) {
    if (!before.isFile()) throw new FileReadError(path, 'not-a-file')
    this.#path = path
    this.#before = before
    this.#limit = limit
    const size = before.size
    this.#assertWithin(size)
    this.buffer = Buffer.allocUnsafeSlow(size + 1)
  }

  /** Bytes to ask for, > 0. */
  get room(): number {
    return Math.min(this.buffer.length - this.offset, CHUNK)
  }

  /** Notes how many bytes came. Whether there may be more. */
  took(count: number): boolean {
    const short = count < this.room
    this.offset += count
    this.#assertWithin(this.offset)
    // A regular file gives less than asked only at its end; the kernel's own end a read where they like.
    if (count === 0 || (short && this.offset === this.#before.size && this.offset > 0)) {
      return false
    }
    if (this.offset === this.buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(4_096, 2 * this.buffer.length))
      this.buffer.copy(larger, 0, 0, this.offset)
      this.buffer = larger
    }
    return true
  }

  finish(stable: boolean): FileRead {
    const { dev, size, nlink } = this.#before
    const asExpected = this.offset === size
    const bytes = asExpected
      ? this.buffer.subarray(0, this.offset)
      : Buffer.from(this.buffer.subarray(0, this.offset))
    return {
      bytes,
      hash: contentHash(bytes),
      stamp: stampOf(this.#before),
      stable,
      stampable: asExpected && !isPseudo(dev, this.#path),
      linked: nlink > 1,
    }
  }

  #assertWithin(bytes: number): void {
    if (bytes > this.#limit)
      throw new FileReadError(this.#path, 'too-large', { limit: this.#limit })
  }
}
