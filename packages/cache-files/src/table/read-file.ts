import { hash } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { FileReadError, fileReadError } from '../errors.ts'
import { type FileStamp, sameStamp, stampOf } from './file-stamp.ts'

/** Bytes of a file and what they are known by, taken together. */
export interface FileRead {
  readonly bytes: Buffer
  /** SHA-256 of the bytes, in hex. */
  readonly hash: string
  readonly stamp: FileStamp
  /** Whether the file stood still while it was read: only then do the stamp and the bytes belong together. */
  readonly stable: boolean
}

/** How often a file that changes while it is read is read again. */
const ATTEMPTS = 3

/**
 * Reads a file between two `fstat`s of the same open file: if they agree, nobody wrote to it meanwhile and the stamp is that of
 * these bytes, whatever the path names by now.
 *
 * @throws {FileReadError}
 */
export function readFileSync(path: string): FileRead {
  let file: number
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    throw fileReadError(path, error)
  }
  try {
    for (let attempt = 1; ; attempt++) {
      const before = fstatSync(file, { bigint: true })
      if (!before.isFile()) throw new FileReadError(path, 'not-a-file')
      const bytes = fill(Number(before.size), (buffer, offset) =>
        readSync(file, buffer, offset, buffer.length - offset, offset),
      )
      const stamp = stampOf(before)
      const stable = bytes !== undefined && sameStamp(stamp, fstatSync(file, { bigint: true }))
      if (bytes !== undefined && (stable || attempt === ATTEMPTS))
        return finish(bytes, stamp, stable)
      if (attempt === ATTEMPTS) throw new FileReadError(path, 'failed', { cause: shrunk() })
    }
  } catch (error) {
    throw error instanceof FileReadError ? error : fileReadError(path, error)
  } finally {
    closeSync(file)
  }
}

/** {@link readFileSync} without blocking the thread; about four times the CPU time for small files. */
export async function readFile(path: string, signal?: AbortSignal): Promise<FileRead> {
  let file: FileHandle
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    throw fileReadError(path, error)
  }
  try {
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted()
      const before = await file.stat({ bigint: true })
      if (!before.isFile()) throw new FileReadError(path, 'not-a-file')
      const bytes = Buffer.allocUnsafeSlow(Number(before.size))
      let offset = 0
      while (offset < bytes.length) {
        signal?.throwIfAborted()
        const { bytesRead } = await file.read(bytes, offset, bytes.length - offset, offset)
        if (bytesRead === 0) break
        offset += bytesRead
      }
      const whole = offset === bytes.length
      const stamp = stampOf(before)
      const stable = whole && sameStamp(stamp, stampOf(await file.stat({ bigint: true })))
      if (whole && (stable || attempt === ATTEMPTS)) return finish(bytes, stamp, stable)
      if (attempt === ATTEMPTS) throw new FileReadError(path, 'failed', { cause: shrunk() })
    }
  } catch (error) {
    if (error instanceof FileReadError || signal?.aborted) throw error
    throw fileReadError(path, error)
  } finally {
    await file.close()
  }
}

/** Fills a buffer of `size` bytes, or `undefined` if the file ended before. Not pooled: contents live long. */
function fill(size: number, read: (buffer: Buffer, offset: number) => number): Buffer | undefined {
  const bytes = Buffer.allocUnsafeSlow(size)
  let offset = 0
  while (offset < size) {
    const count = read(bytes, offset)
    if (count === 0) return undefined
    offset += count
  }
  return bytes
}

function finish(bytes: Buffer, stamp: FileStamp, stable: boolean): FileRead {
  return { bytes, hash: hash('sha256', bytes, 'hex'), stamp, stable }
}

const shrunk = () => new Error('it became shorter each time it was read')
