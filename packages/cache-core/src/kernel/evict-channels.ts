import { type Channel, channel } from 'node:diagnostics_channel'
import type { RemovalReason } from './kernel.ts'

/**
 * Published on `millrace:cache:evict:start` and, the same object, on `millrace:cache:evict:end`.
 */
export interface EvictMessage {
  readonly key: unknown
  /** Only removals that nobody asked for: to make room, by expiry, by a smaller limit. */
  readonly reason: Extract<RemovalReason, 'evicted' | 'expired' | 'resized'>
  /** What `onRemove` threw, if it did. */
  error?: unknown
}

type EvictChannel = Channel<unknown, EvictMessage>

export const evictStart: EvictChannel = channel('millrace:cache:evict:start') as EvictChannel
export const evictEnd: EvictChannel = channel('millrace:cache:evict:end') as EvictChannel

/** Whether a removal for this reason is published. */
export function isEviction(reason: RemovalReason): reason is EvictMessage['reason'] {
  return reason === 'evicted' || reason === 'expired' || reason === 'resized'
}
