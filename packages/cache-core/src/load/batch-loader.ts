import { LoadResultError } from '../errors.ts'
import type { Loaded } from './loaded.ts'

/** What a batch loader is called with besides the keys. */
export interface BatchContext<K, V> {
  /** The expired value of a key, if one is still held: return it to keep it. */
  stale(key: K): V | undefined
  /** Whether the key is refreshed behind a value that was served, so that no caller waited for it when this began. */
  background(key: K): boolean
  /** Aborted when the hard timeout passes, or when every caller has given up. */
  readonly signal: AbortSignal
}

/** What a batch loader says of one key: its value, its failure, or nothing. */
export type BatchItem<V> = V | Loaded<V> | Error | undefined

/**
 * What a batch loader returns: a `Map` by key, or an array in the order of the keys. A key that is
 * missing or `undefined` has no value; an `Error` is that key's failure alone.
 */
export type BatchResult<K, V> =
  | ReadonlyMap<K, V | Loaded<V> | Error>
  | readonly (V | Loaded<V> | Error | undefined)[]

/** Produces the values of many keys, in one call. */
export type BatchLoader<K, V> = (
  keys: readonly K[],
  context: BatchContext<K, V>,
) => BatchResult<K, V> | PromiseLike<BatchResult<K, V>>

/**
 * The result of a batch loader, one item per key.
 *
 * @throws {LoadResultError} unless it is a `Map` or an array of that many.
 */
export function itemsOf<K, V>(
  result: BatchResult<K, V>,
  keys: readonly K[],
): readonly BatchItem<V>[] {
  if (result instanceof Map) return keys.map(key => result.get(key))
  if (Array.isArray(result) && result.length === keys.length) return result
  throw new LoadResultError(
    `a Map or an array of ${keys.length}, as it was given ${keys.length} keys`,
    result,
  )
}
