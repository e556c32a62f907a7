import type { BigIntStats } from 'node:fs'

/**
 * What the file system says of a file's identity and age. Two stamps of a file are equal if nothing touched it in between, as
 * far as the clock of the file system can tell: see {@link isSettled}. The inode alone is no identity (a rename over the file
 * may bring an old number back), and mtime alone can be set at will; ctime cannot.
 */
export interface FileStamp {
  readonly dev: bigint
  readonly ino: bigint
  readonly size: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
}

/** The part of a `stat` that makes a stamp. */
export function stampOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): FileStamp {
  return { dev, ino, size, mtimeNs, ctimeNs }
}

export function sameStamp(a: FileStamp, b: FileStamp): boolean {
  return (
    a.mtimeNs === b.mtimeNs &&
    a.ctimeNs === b.ctimeNs &&
    a.size === b.size &&
    a.ino === b.ino &&
    a.dev === b.dev
  )
}

/**
 * Whether the file was last touched long enough before `observedAt` that a later touch must have got another time. Kernels
 * step file times by up to 10 ms, some file systems by 2 s; git calls younger stamps racy (Documentation/technical/racy-git).
 * A file from the future is never settled.
 *
 * @param window ms
 */
export function isSettled(stamp: FileStamp, observedAt: number, window: number): boolean {
  return observedAt - Math.max(Number(stamp.mtimeNs), Number(stamp.ctimeNs)) / 1e6 > window
}
