import type { DepartureReason } from '../advise/departures.ts'
import { FRESH, STALE } from '../kernel/entry.ts'
import { ABSENT, type Kernel } from '../kernel/kernel.ts'
import type { ExplainedLoad } from '../load/loads.ts'

/**
 * What a read of a key would find:
 * - `fresh`: a valid entry, for `expiresIn` more ms (Infinity = no limit)
 * - `stale`: an expired one, kept `keptFor` more ms to be served while a new value loads
 * - `absent`: nothing, because of `reason`; `unknown` means that it never was there, or left too
 *   long ago, or that the option `explanations` is off
 */
export type Explanation = ExplainedEntry & ExplainedLoad

/** What the entries say of a key. */
export type ExplainedEntry =
  | { readonly state: 'fresh'; readonly expiresIn: number }
  | { readonly state: 'stale'; readonly keptFor: number }
  | { readonly state: 'absent'; readonly reason: DepartureReason | 'unknown' }

/** Explains a key without counting or changing anything. O(1). */
export function explain<K, V>(
  kernel: Kernel<K, V>,
  key: K,
  departed: DepartureReason | undefined,
): ExplainedEntry {
  const slot = kernel.locate(key)
  if (slot === ABSENT) return { state: 'absent', reason: departed ?? 'unknown' }
  const now = kernel.clock.now()
  switch (kernel.state(slot)) {
    case FRESH:
      return { state: 'fresh', expiresIn: kernel.expiresAt(slot) - now }
    case STALE:
      return { state: 'stale', keptFor: kernel.retainedUntil(slot) - now }
    default:
      return { state: 'absent', reason: kernel.reasonGone(slot) }
  }
}
