import {
  checkBoolean,
  checkList,
  checkOptions,
  checkSignal,
  InvalidOptionError,
  NULLABLE,
  type OptionNames,
} from '@millrace/kit'
import { checkTags } from '../../invalidate/check-tags.ts'
import type {
  Fence,
  StoreCallOptions,
  StoreClearOptions,
  StoreItem,
  StoreKeysOptions,
  StoreSetOptions,
} from './store.ts'

const CALL: OptionNames<StoreCallOptions> = { signal: true }
const CLEAR: OptionNames<StoreClearOptions> = { ...CALL, expire: true }
const KEYS: OptionNames<StoreKeysOptions> = { ...CALL, prefix: true }
const VALUE: OptionNames<StoreSetOptions> = { ttl: true, retention: true, tags: true, fence: true }
const SET: OptionNames<StoreSetOptions & StoreCallOptions> = { ...CALL, ...VALUE }
const ITEM: OptionNames<StoreItem<unknown>> = { ...VALUE, key: true, value: NULLABLE }
const NONE = {}

/*
 * What the calls of a store are given: before anything is read or changed, so that a call with a bad argument has stored nothing, and a
 * misspelt option is not silently none.
 */

/**
 * The options of a store's call that has no others than a signal; an empty object for `undefined`.
 *
 * @throws {InvalidOptionError} for what is no object, has an unknown name, or a `signal` that is no AbortSignal
 */
export function checkCallOptions(options: StoreCallOptions | undefined): StoreCallOptions {
  return options === undefined ? NONE : withSignal(checkOptions('', options, CALL))
}

/**
 * The options of a store's `clear`; an empty object for `undefined`.
 *
 * @throws {InvalidOptionError} as {@link checkCallOptions}, and for an `expire` that is no boolean
 */
export function checkClearOptions(options: StoreClearOptions | undefined): StoreClearOptions {
  if (options === undefined) return NONE
  const { expire } = withSignal(checkOptions('', options, CLEAR))
  if (expire !== undefined) checkBoolean('expire', expire)
  return options
}

/**
 * The options of a store's `keys`; an empty object for `undefined`.
 *
 * @throws {InvalidOptionError} as {@link checkCallOptions}, and for a `prefix` that is no string
 */
export function checkKeysOptions(options: StoreKeysOptions | undefined): StoreKeysOptions {
  if (options === undefined) return NONE
  const { prefix } = withSignal(checkOptions('', options, KEYS))
  if (prefix !== undefined) checkName('prefix', prefix)
  return options
}

/**
 * The options of a store's `set`, but for its lifetimes, which {@link Lifetimes} checks; an empty object for `undefined`.
 *
 * @throws {InvalidOptionError} as {@link checkCallOptions}, for tags that are no strings, and for a fence that is none
 */
export function checkSetOptions(
  options: (StoreSetOptions & StoreCallOptions) | undefined,
): StoreSetOptions & StoreCallOptions {
  if (options === undefined) return NONE
  checkValue(withSignal(checkOptions('', options, SET)))
  return options
}

/**
 * The items of a store's `setMany`, but for their lifetimes, which {@link Lifetimes} checks; in a list of its own, so that they stay what
 * they are while the call lasts. O(items).
 *
 * @throws {InvalidOptionError} for what is no array, and for an item with a key that is no string or with options as
 *   {@link checkSetOptions} refuses them
 */
export function checkItems<V>(items: readonly StoreItem<V>[]): readonly StoreItem<V>[] {
  const list = checkList('items', items).slice()
  for (const item of list) {
    checkKey(checkOptions('item', item, ITEM).key)
    checkValue(item)
  }
  return list
}

/**
 * The key of a store's call: stores find values by strings alone.
 *
 * @throws {InvalidOptionError}
 */
export function checkKey(key: string): string {
  return checkName('key', key)
}

/**
 * The keys of a store's call, in a list of its own, so that they stay what they are while the call lasts. O(keys).
 *
 * @throws {InvalidOptionError} for what is no array of strings
 */
export function checkKeys(keys: readonly string[]): readonly string[] {
  const list = checkList('keys', keys, 'an array of strings').slice()
  for (const key of list) checkKey(key)
  return list
}

/**
 * The tag of a store's call.
 *
 * @throws {InvalidOptionError} for what is no string
 */
export function checkTag(tag: string): string {
  return checkName('tag', tag)
}

function checkName(option: string, name: string): string {
  if (typeof name === 'string') return name
  throw new InvalidOptionError(option, 'a string', name)
}

function withSignal<O extends StoreCallOptions>(options: O): O {
  if (options.signal !== undefined) checkSignal('signal', options.signal)
  return options
}

/** A fence of another store is no mistake: what it guards is refused. What is no fence at all, such as a promise of one, is. */
function checkValue({ tags, fence }: StoreSetOptions): void {
  if (tags !== undefined) checkTags('tags', tags)
  if (fence === undefined) return
  const { epoch, at } = (fence ?? {}) as Partial<Fence>
  if (Number.isFinite(epoch) && Number.isFinite(at)) return
  throw new InvalidOptionError('fence', 'a fence, as `fence` and `lookup` return it', fence)
}
