import { LoadResultError } from '../errors.ts'
import type { BatchResult } from './load-many.ts'
import type { Loaded } from './loaded.ts'

/** What a batch loader says of one key: its value, its failure, or nothing. */
export type BatchItem<V> = V | Loaded<V> | Error | undefined

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
