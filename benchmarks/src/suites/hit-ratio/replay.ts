import type { Policy } from './policies/policy.ts'
import type { Trace } from './traces/trace.ts'

/** Replays a trace with entries of size 1 and returns how many reads hit. */
export function replay({ ids }: Trace, policy: Policy): number {
  let hits = 0
  for (let at = 0; at < ids.length; at++) {
    if (policy.access(ids[at]!, 1)) hits++
  }
  return hits
}

/** Replays a trace with its sizes in bytes and returns how many reads missed. */
export function replayBytes({ name, ids, sizes }: Trace, policy: Policy): number {
  if (sizes === undefined) throw new Error(`Trace ${name} has no sizes`)
  let misses = 0
  for (let at = 0; at < ids.length; at++) {
    if (!policy.access(ids[at]!, sizes[at]!)) misses++
  }
  return misses
}
