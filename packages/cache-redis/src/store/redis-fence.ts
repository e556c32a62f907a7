import type { Fence } from '@millrace/cache-core/store'
import type { ShardMark } from '../protocol/answer.ts'

/** A {@link Fence} of a `RedisStore`. */
export interface RedisFence extends Fence {
  /** How far each shard was, by its index. Where it is not known, the incarnation is 0 and everything is refused. */
  readonly marks: readonly ShardMark[]
}

/** A fence from how far shards were; its epoch is that of the one that is behind all others. */
export function fenceOf(marks: readonly ShardMark[], at: number): RedisFence {
  let epoch = Infinity
  for (const mark of marks) if (mark.incarnation !== 0 && mark.epoch < epoch) epoch = mark.epoch
  return { epoch: epoch === Infinity ? 0 : epoch, at, marks }
}

/** How far a shard was; nothing for a fence that was made elsewhere, and none of numbers that only look like one. */
export function markIn(fence: Fence, shard: number): ShardMark | undefined {
  const mark = (fence as Partial<RedisFence>).marks?.[shard]
  const right = Number.isSafeInteger(mark?.epoch) && Number.isSafeInteger(mark?.incarnation)
  return right ? mark : undefined
}
