import type { RemovalReason } from './entry.ts'

/** Who is told what happens to the keys of a kernel. */
export interface Observer<K> {
  /** A key was read. `weight` is that of its entry, undefined if there was none. */
  read(key: K, weight: number | undefined): void
  stored(key: K, weight: number): void
  /** A value of `key` was not stored. */
  refused(key: K, reason?: 'refused' | 'discarded' | 'failed'): void
  removed(key: K, reason: RemovalReason): void
  /** Everything was removed. */
  cleared(): void
}
