import { type Cache, internalsOf } from '../cache/cache.ts'
import type { TagStamp } from '../invalidate/tag-table.ts'
import { GONE, STALE } from '../kernel/entry.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { notedGuard } from '../protect/protection.ts'
import type { CacheSnapshot, SnapshotEntry } from './cache-snapshot.ts'

/**
 * A copy of the entries of a cache and of what its policy knows, as plain data, to start another cache with. Entries that must
 * not be served are left out. O(n).
 */
export function dump<K, V>(cache: Cache<K, V>): CacheSnapshot<K, V> {
  const { kernel } = internalsOf(cache)
  const guard = notedGuard(cache)
  const now = kernel.clock.now()
  const entries: SnapshotEntry<K, V>[] = []
  for (const slot of orderOf(kernel)) {
    const state = kernel.state(slot)
    if (state === GONE) continue
    const expires = kernel.expiresAt(slot)
    const retained = kernel.retainedUntil(slot)
    const stamp = kernel.guards?.[slot] as TagStamp | undefined
    entries.push({
      key: kernel.keys[slot] as K,
      value:
        guard === undefined ? (kernel.values[slot] as V) : guard.hand(kernel.values[slot] as V),
      mark: kernel.policy.frequency[slot]!,
      // A tag may have ended what time would not have yet.
      ...(state === STALE
        ? { freshFor: Math.min(0, Math.min(expires, stamp?.staleSince ?? Infinity) - now) }
        : expires !== Infinity && { freshFor: expires - now }),
      // JSON knows no Infinity.
      ...((retained !== expires || state === STALE) && {
        keptFor: Math.min(retained - now, Number.MAX_VALUE),
      }),
      ...(kernel.weights !== null && { weight: kernel.weights[slot]! }),
      ...(stamp !== undefined && { tags: stamp.names }),
    })
  }
  const state = kernel.policy.save()
  return {
    format: 'millrace-cache',
    version: 1,
    savedAt: Date.now(),
    policy: kernel.policy.name,
    seed: kernel.index.hasher.seed,
    ...(state !== undefined && { state }),
    entries,
  }
}

/** Slots of all entries: pinned ones, which no policy knows, then in the order in which the policy would evict them. O(n). */
function orderOf<K, V>({ policy, weights, index }: Kernel<K, V>): number[] {
  const pinned = weights === null ? [] : index.slots().filter(slot => weights[slot] === 0)
  return [...pinned, ...policy.order()]
}
