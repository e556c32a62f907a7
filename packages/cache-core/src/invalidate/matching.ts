import { FRESH } from '../kernel/entry.ts'
import type { Kernel } from '../kernel/kernel.ts'

/** Removes every entry whose key matches, and returns how many were valid. O(n). */
export function removeWhere<K, V>(kernel: Kernel<K, V>, matches: (key: K) => boolean): number {
  let count = 0
  for (const [key] of kernel.entries()) {
    if (matches(key) && kernel.remove(key, 'invalidated')) count++
  }
  return count
}

/** Ends the freshness of every entry whose key matches, and returns how many were valid. O(n). */
export function expireWhere<K, V>(kernel: Kernel<K, V>, matches: (key: K) => boolean): number {
  let count = 0
  for (const [key, slot] of kernel.entries()) {
    if (!matches(key) || kernel.state(slot) !== FRESH) continue
    kernel.stale(slot)
    count++
  }
  return count
}
