import type { Fence, StoreEntry, StoreItem, StoreLookup } from '../../store/contract/store.ts'
import { isFresh, timeOf } from '../../store/entry-time.ts'
import { joined, type Layers } from './layered-writes.ts'

/**
 * Reads `near`, then `far` for what is missing or stale there, which is kept in `near`. One of the two that does not answer has nothing.
 * Rejects if neither answers.
 */
export async function readLayered<V>(
  { near: nearStore, far: farStore, nearTtl }: Layers<V>,
  keys: readonly string[],
): Promise<StoreLookup<V>> {
  const near = await nearStore.lookup(keys)
  const entries = keys.map((_, index) => near?.entries[index])
  const missing = keys.filter((_, index) => !isFresh(entries[index]))
  // What is fresh in `near` needs no call of `far`: a refresh of it stays in `near`.
  if (missing.length === 0 && near !== undefined) {
    return { entries, fence: joined(near.fence, undefined) }
  }
  const far = await farStore.lookup(missing)
  if (far !== undefined) {
    let next = 0
    const found: StoreItem<V>[] = []
    for (const [index, key] of keys.entries()) {
      if (isFresh(entries[index])) continue
      const entry = far.entries[next++]
      entries[index] = entry
      const item = entry && itemForNear(key, entry, near?.fence, nearTtl)
      if (item !== undefined) found.push(item)
    }
    if (found.length !== 0) await nearStore.setMany(found)
  } else if (near === undefined) {
    // Both failed: that is no miss.
    await farStore.call(store => store.fence())
  }
  return { entries, fence: joined(near?.fence, far?.fence) }
}

/** A value of `far` as `near` may keep it. */
function itemForNear<V>(
  key: string,
  entry: StoreEntry<V>,
  fence: Fence | undefined,
  nearTtl: number,
): StoreItem<V> | undefined {
  const { value, expires, retained, tags } = entry
  const at = timeOf(entry)
  if (fence === undefined || !(expires > at)) return undefined
  const ttl = Math.min(expires - at, nearTtl)
  const retention = retained === Infinity ? 0 : retained - expires
  return { key, value, ttl, retention, tags, fence }
}
