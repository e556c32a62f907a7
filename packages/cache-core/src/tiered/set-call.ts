import { checkOptions, checkPositiveOrInfinity, type OptionNames } from '@millrace/kit'
import type { SetOptions } from '../cache/cache-options.ts'
import { checkTags } from '../invalidate/check-tags.ts'
import type { Store, StoreItem } from '../store/contract/store.ts'
import { checkKeys } from './load/check-keys.ts'

const SET_OPTIONS: OptionNames<SetOptions> = { ttl: true, tags: true }

/** How values are handed to the store: by its call for one or for many. Whether each is kept. */
export type SetCall<V> = (
  store: Store<V>,
  items: readonly StoreItem<V>[],
) => Promise<readonly boolean[]>

/**
 * Before anything is invalidated: a write with a bad option leaves the value that is there.
 *
 * @throws {InvalidOptionError}
 */
export function checkSet(keys: Iterable<string>, options: SetOptions): void {
  checkKeys(keys)
  const { ttl, tags } = checkOptions('', options, SET_OPTIONS)
  if (ttl !== undefined) checkPositiveOrInfinity('ttl', ttl)
  if (tags !== undefined) checkTags('tags', tags)
}

export async function setOne<V>(
  store: Store<V>,
  [item]: readonly StoreItem<V>[],
): Promise<boolean[]> {
  const { key, value, ttl, retention, tags } = item!
  return [await store.set(key, value, { ttl, retention, tags })]
}

export function setMany<V>(
  store: Store<V>,
  items: readonly StoreItem<V>[],
): Promise<readonly boolean[]> {
  return store.setMany(items)
}
