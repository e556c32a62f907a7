import { OperationChannels } from '@millrace/kit'
import type { RemovalReason } from './entry.ts'

/**
 * Published on `millrace:cache:evict:start` and, the same object, on `millrace:cache:evict:end`.
 */
export interface EvictMessage {
  readonly key: unknown
  /** Only removals that no call asked for: to make room, by expiry, by a smaller limit. */
  readonly reason: Extract<RemovalReason, 'evicted' | 'expired' | 'resized'>
  /** What `onRemove` threw, if it did. */
  error?: unknown
}

export const evictions: OperationChannels<EvictMessage> = new OperationChannels(
  'millrace:cache:evict',
)

/** Whether a removal for this reason is published. */
export function isEviction(reason: RemovalReason): reason is EvictMessage['reason'] {
  return reason === 'evicted' || reason === 'expired' || reason === 'resized'
}
