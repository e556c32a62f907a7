import { getHeapStatistics } from 'node:v8'
import { resourceLimits } from 'node:worker_threads'

const MEBIBYTE = 2 ** 20
/** The young generation is at most so large by default, and at most so much of the whole. */
const YOUNG = 192 * MEBIBYTE
const YOUNG_SHARE = 0.25
const FLAG = /^--max[-_]old[-_]space[-_]size=(\d+)$/

/**
 * What the heap holds, as a share of the part in which a process dies when it is full: the old generation. The limit that V8 reports is
 * that of old and young together, which in a small heap is more than twice as much. What is young counts, too: a cache keeps
 * what it is given, so one collection may move a whole young generation, up to 64 MiB, into the old one. O(1).
 */
export function heapShare(): number {
  return getHeapStatistics().used_heap_size / oldLimit
}

const oldLimit = limitOfOldGeneration()

/** V8 does not say it: that of a worker, that of the flag, else what is left of both generations. */
function limitOfOldGeneration(): number {
  const { maxOldGenerationSizeMb } = resourceLimits
  if (maxOldGenerationSizeMb !== undefined) return maxOldGenerationSizeMb * MEBIBYTE
  const flags = [...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/), ...process.execArgv]
  // The last one counts.
  const flag = flags.map(each => FLAG.exec(each)).findLast(match => match !== null)
  if (flag !== undefined && flag !== null) return Number(flag[1]) * MEBIBYTE
  const { heap_size_limit: limit } = getHeapStatistics()
  return limit - Math.min(YOUNG, limit * YOUNG_SHARE)
}
