import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8'
import { resourceLimits } from 'node:worker_threads'

const MEBIBYTE = 2 ** 20
/** The young generation is at most so large by default, and at most so much of the whole. */
const YOUNG = 192 * MEBIBYTE
const YOUNG_SHARE = 0.25
const FLAG = /^--max[-_]old[-_]space[-_]size=(\d+)$/

/**
 * Share of the heap in use, of the part in which a process dies when it is full: the old generation. The limit that V8 reports is that of
 * old and young together, which in a small heap is more than twice as much.
 */
export function heapShare(): number {
  let used = 0
  for (const { space_name: name, space_used_size: size } of getHeapSpaceStatistics()) {
    if (!name.startsWith('new_')) used += size
  }
  return used / oldLimit
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
