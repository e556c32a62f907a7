import { FRESH, type Kernel } from '../kernel/kernel.ts'

/**
 * Removes every entry whose key matches, and returns how many were valid. What `onRemove` throws is thrown when the others are
 * gone too. O(n).
 */
export function removeWhere<K, V>(kernel: Kernel<K, V>, matches: (key: K) => boolean): number {
  const errors: unknown[] = []
  let count = 0
  for (const key of Array.from(kernel.entries(), ([key]) => key).filter(matches)) {
    try {
      if (kernel.remove(key, 'invalidated')) count++
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length !== 0) throw errors[0]
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
