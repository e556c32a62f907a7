import { SnapshotError } from '../errors.ts'
import type { PolicyName, PolicyState } from '../policy/policy.ts'

/** One entry of a snapshot. */
export interface SnapshotEntry<K, V> {
  readonly key: K
  readonly value: V
  /** Where the policy had it. */
  readonly mark: number
  /** ms it was still fresh, or, below 0, had been stale; absent = no limit. */
  readonly freshFor?: number
  /** ms it could still be served stale; absent = as `freshFor`. */
  readonly keptFor?: number
  readonly weight?: number
  readonly tags?: readonly string[]
}

/**
 * A copy of a cache to start another one with: entries in the order in which they would be evicted,
 * what is left of their lives, and what the policy learned. Plain data: `structuredClone`,
 * `v8.serialize` and, if keys and values allow, `JSON` keep it.
 */
export interface CacheSnapshot<K, V> {
  readonly format: 'millrace-cache'
  readonly version: 1
  /** `Date.now()` when it was made. */
  readonly savedAt: number
  readonly policy: PolicyName
  /** Of the hashes the policy's state is made of. */
  readonly seed: number
  readonly state?: PolicyState
  readonly entries: readonly SnapshotEntry<K, V>[]
}

/**
 * Checks a snapshot before anything is changed.
 *
 * @throws {SnapshotError} if it is none, or damaged.
 */
export function checkSnapshot<K, V>(snapshot: CacheSnapshot<K, V>): void {
  if (typeof snapshot !== 'object' || snapshot === null || snapshot.format !== 'millrace-cache') {
    throw new SnapshotError('it is not a snapshot of a cache')
  }
  if (snapshot.version !== 1) throw new SnapshotError('it has another version than 1')
  if (!Number.isFinite(snapshot.savedAt) || !Number.isInteger(snapshot.seed)) {
    throw new SnapshotError('its header is damaged')
  }
  if (!Array.isArray(snapshot.entries)) throw new SnapshotError('it has no list of entries')
  snapshot.entries.forEach((entry, index) => {
    if (!isEntry(entry)) throw new SnapshotError(`entry ${index} is damaged`)
  })
  if (snapshot.state !== undefined && !isState(snapshot.state)) {
    throw new SnapshotError('the state of the policy is damaged')
  }
}

function isEntry(entry: unknown): boolean {
  if (typeof entry !== 'object' || entry === null) return false
  const { mark, freshFor, keptFor, weight, tags } = entry as Record<string, unknown>
  return (
    'key' in entry &&
    'value' in entry &&
    isByte(mark) &&
    [freshFor, keptFor].every(time => time === undefined || Number.isFinite(time)) &&
    (weight === undefined || (Number.isFinite(weight) && (weight as number) >= 0)) &&
    (tags === undefined || (Array.isArray(tags) && tags.every(tag => typeof tag === 'string')))
  )
}

function isByte(mark: unknown): boolean {
  return Number.isInteger(mark) && (mark as number) >= 0 && (mark as number) <= 255
}

function isState({ window, words, lowBits, increments }: PolicyState): boolean {
  return (
    window >= 0 &&
    window <= 1 &&
    increments >= 0 &&
    Number.isInteger(lowBits) &&
    lowBits >= 0 &&
    lowBits < 16 &&
    words !== undefined &&
    words.length > 0 &&
    words.length % 2 ** lowBits === 0 &&
    Array.from(words).every(word => Number.isInteger(word) && word >= 0 && word < 2 ** 32)
  )
}
