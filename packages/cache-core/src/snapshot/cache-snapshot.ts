import { SnapshotError } from '../errors.ts'
import type { PolicyState } from '../policy/policy.ts'

/** One entry of a snapshot. */
export interface SnapshotEntry<K, V> {
  readonly key: K
  /** JSON leaves it out where it is `undefined`. */
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
  /** Its name. */
  readonly policy: string
  /** Of the hashes the policy's state is made of. */
  readonly seed: number
  readonly state?: PolicyState
  readonly entries: readonly SnapshotEntry<K, V>[]
}

/** The latest time of a `Date`, in ms. */
const LATEST = 8.64e15

const ENTRY_NAMES: Readonly<Record<keyof SnapshotEntry<unknown, unknown>, true>> = {
  key: true,
  value: true,
  mark: true,
  freshFor: true,
  keptFor: true,
  weight: true,
  tags: true,
}

/**
 * Checks a snapshot before anything is changed.
 *
 * @throws {SnapshotError} if it is none, or damaged.
 */
export function checkSnapshot<K, V>(snapshot: CacheSnapshot<K, V>): void {
  if (!isObject(snapshot) || snapshot.format !== 'millrace-cache') {
    throw new SnapshotError('it is not a snapshot of a cache')
  }
  const { version, savedAt, seed, policy, entries, state } = snapshot
  if (version !== 1) throw new SnapshotError('it has another version than 1')
  const isSeed = isInteger(seed, -(2 ** 31), 2 ** 31 - 1)
  if (!isNumber(savedAt, 0, LATEST) || !isSeed || typeof policy !== 'string' || policy === '') {
    throw new SnapshotError('its header is damaged')
  }
  if (!Array.isArray(entries)) throw new SnapshotError('it has no list of entries')
  const keys = new Set<unknown>()
  // By index, as an array may have holes.
  for (const [index, entry] of entries.entries()) {
    if (!isEntry(entry)) throw new SnapshotError(`entry ${index} is damaged`)
    if (keys.size === keys.add(entry.key).size) {
      throw new SnapshotError(`entry ${index} has the key of another one`)
    }
  }
  if (state !== undefined && !isState(state)) {
    throw new SnapshotError('the state of the policy is damaged')
  }
}

function isEntry(entry: unknown): entry is SnapshotEntry<unknown, unknown> {
  if (!isObject(entry)) return false
  const { mark, freshFor, keptFor, weight, tags } = entry
  return (
    'key' in entry &&
    // Without a value it is `undefined`, unless a damaged name was that of the value.
    ('value' in entry || Object.keys(entry).every(name => Object.hasOwn(ENTRY_NAMES, name))) &&
    isInteger(mark, 0, 255) &&
    [freshFor, keptFor].every(time => time === undefined || Number.isFinite(time)) &&
    // One that never becomes stale is not kept as such.
    (keptFor === undefined || freshFor !== undefined) &&
    (weight === undefined || isNumber(weight, 0, Number.MAX_VALUE)) &&
    (tags === undefined ||
      (Array.isArray(tags) && Array.from(tags).every(tag => typeof tag === 'string')))
  )
}

function isState(state: unknown): boolean {
  if (!isObject(state)) return false
  const { window, words, lowBits, increments } = state
  return (
    isNumber(window, 0, 1) &&
    isInteger(increments, 0, Number.MAX_SAFE_INTEGER) &&
    isInteger(lowBits, 0, 15) &&
    // What only claims to have a length may claim any.
    (Array.isArray(words) || words instanceof Int32Array || words instanceof Uint32Array) &&
    words.length > 0 &&
    words.length % 2 ** lowBits === 0 &&
    Array.from(words).every(word => isInteger(word, 0, 2 ** 32 - 1))
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isInteger(value: unknown, least: number, most: number): value is number {
  return isNumber(value, least, most) && Number.isInteger(value)
}

function isNumber(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && value >= least && value <= most
}
