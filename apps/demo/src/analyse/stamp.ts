import type { BigIntStats } from 'node:fs'

/** What the file system says of a file, to be compared with what it says later. */
export interface Stamp {
  /** Equal = nobody touched the file, if that one was settled. */
  readonly fingerprint: string
  /** Whether the file was last touched so long before that a later touch must show in the fingerprint. */
  readonly settled: boolean
}

/** File times move in steps: of up to 10 ms where they have nanoseconds, else of up to 2 s. In ms, with reserve. */
const fineStep = 50
const coarseStep = 2_000

/** @param now ms since 1970 when the stat was made, or earlier */
export function stampOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats, now: number): Stamp {
  const touched = mtimeNs > ctimeNs ? mtimeNs : ctimeNs
  const step = ctimeNs % 1_000_000n === 0n ? coarseStep : fineStep
  return {
    fingerprint: `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`,
    settled: now - Number(touched) / 1e6 > step,
  }
}
