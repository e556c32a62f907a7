import { type Cache, internalsOf } from '../cache/cache.ts'
import { FRESH } from '../kernel/entry.ts'
import { ABSENT } from '../kernel/kernel.ts'
import { notedGuard } from '../protect/protection.ts'
import { type CacheSnapshot, checkSnapshot } from './cache-snapshot.ts'

/**
 * Adds the entries of a snapshot that have not expired meanwhile and whose keys are not there already, and returns how many
 * those were. An empty cache with the same policy also goes on with what that had learned. O(n).
 *
 * @throws {SnapshotError} if the snapshot is damaged; nothing has changed then.
 */
export function load<K, V>(cache: Cache<K, V>, snapshot: CacheSnapshot<K, V>): number {
  checkSnapshot(snapshot)
  const { kernel, writer, enabled } = internalsOf(cache)
  if (!enabled) return 0
  const samePolicy = snapshot.policy === kernel.policy.name
  if (kernel.size === 0) {
    kernel.adopt(snapshot.seed)
    kernel.reserve(snapshot.entries.length)
    if (samePolicy && snapshot.state !== undefined) kernel.policy.load(snapshot.state)
  }
  const passed = Math.max(0, Date.now() - snapshot.savedAt)
  const now = kernel.clock.now()
  const guard = notedGuard(cache)
  let restored = 0
  // What would be evicted first first.
  for (const { key, value, mark, freshFor, keptFor, tags } of snapshot.entries) {
    if (kernel.locate(key) !== ABSENT) continue
    const expires = freshFor === undefined ? Infinity : now + freshFor - passed
    const retained = keptFor === undefined ? expires : now + keptFor - passed
    if (Math.max(expires, retained) <= now) continue
    if (samePolicy) kernel.markNext(mark)
    const kept = guard === undefined ? value : guard.keep(value)
    writer.restore(key, kept, { expires, retained }, tags ?? [])
    const slot = kernel.locate(key)
    if (slot !== ABSENT && kernel.state(slot) === FRESH) restored++
  }
  return restored
}
