import { replayBytes } from '../replay.ts'
import type { Trace } from '../traces/trace.ts'
import { oursByBytes } from './ours.ts'
import type { PolicyFactory } from './policy.ts'
import { references } from './references.ts'

const mebibyte = 1024 * 1024

/** Misses on cloudPhysicsIO with its sizes at 128 MiB x 1 to 8, as libCacheSim's own tests assert them. */
const published: Readonly<Record<string, readonly number[]>> = {
  LRU: [93_374, 89_783, 83_572, 81_722, 72_494, 72_104, 71_972, 71_704],
  SIEVE: [91_699, 86_720, 78_578, 76_707, 69_945, 66_221, 64_445, 64_376],
  'S3-FIFO': [89_307, 82_387, 77_041, 76_791, 71_300, 70_343, 70_455, 70_355],
}

/** The trace that the published counts are about. */
export const oracleTrace = 'cloudPhysicsIO'

/** @throws {Error} when a reference, or our policy of that name, misses once more or less often than in libCacheSim */
export function assertAsPublished(trace: Trace): void {
  for (const [name, misses] of Object.entries(published)) {
    assertMisses(name, trace, references[name]!, misses)
    assertMisses(`our ${name}`, trace, oursByBytes[name]!, misses)
  }
}

function assertMisses(
  name: string,
  trace: Trace,
  create: PolicyFactory,
  misses: readonly number[],
): void {
  misses.forEach((expected, index) => {
    const capacity = (index + 1) * 128 * mebibyte
    const own = replayBytes(trace, create({ capacity, distinct: trace.distinct }))
    if (own !== expected) {
      throw new Error(
        `${name} missed ${own} times at ${capacity} bytes, in libCacheSim ${expected}`,
      )
    }
  })
}
