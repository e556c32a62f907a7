import type { Fence } from '@millrace/cache-core/store'
import type { ShardMark } from '../protocol/script-line.ts'

/** A {@link Fence} of a `RedisStore`. */
export interface RedisFence extends Fence {
  /** How far each shard was, by its index; `undefined` where the fence does not reach: there it refuses everything. */
  readonly marks: readonly (ShardMark | undefined)[]
}

/** A fence from how far shards were. */
export function fenceOf(marks: readonly (ShardMark | undefined)[], at: number): RedisFence {
  let epoch = 0
  for (const mark of marks) if (mark !== undefined && mark.epoch > epoch) epoch = mark.epoch
  return { epoch, at, marks }
}

/** How far a shard was; nothing for a fence that was made elsewhere. */
export function markIn(fence: Fence, shard: number): ShardMark | undefined {
  return (fence as Partial<RedisFence>).marks?.[shard]
}
