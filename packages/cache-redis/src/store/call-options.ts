import type {
  StoreCallOptions,
  StoreClearOptions,
  StoreItem,
  StoreKeysOptions,
  StoreSetOptions,
} from '@millrace/cache-core/store'
import { checkOptions, InvalidOptionError, type OptionNames } from '@millrace/kit'

const CALL: OptionNames<StoreCallOptions> = { signal: true }
const CLEAR: OptionNames<StoreClearOptions> = { ...CALL, expire: true }
const KEYS: OptionNames<StoreKeysOptions> = { ...CALL, prefix: true }
const VALUE: OptionNames<StoreSetOptions> = { ttl: true, retention: true, tags: true, fence: true }
const SET: OptionNames<StoreSetOptions & StoreCallOptions> = { ...CALL, ...VALUE }
const ITEM: OptionNames<StoreItem<unknown>> = { ...VALUE, key: true, value: true }
const NONE = {}

/** Options of a call that has no others. */
export function checkCall(options: StoreCallOptions | undefined): StoreCallOptions {
  return options === undefined ? NONE : checkOptions('', options, CALL)
}

export function checkClear(options: StoreClearOptions | undefined): StoreClearOptions {
  return options === undefined ? NONE : checkOptions('', options, CLEAR)
}

export function checkKeys(options: StoreKeysOptions | undefined): StoreKeysOptions {
  return options === undefined ? NONE : checkOptions('', options, KEYS)
}

export function checkSet(
  options: (StoreSetOptions & StoreCallOptions) | undefined,
): StoreSetOptions & StoreCallOptions {
  return options === undefined ? NONE : checkOptions('', options, SET)
}

export function checkItem<V>(item: StoreItem<V>): StoreItem<V> {
  checkKey(checkOptions('item', item, ITEM).key)
  return item
}

export function checkKey(key: unknown): string {
  if (typeof key === 'string') return key
  throw new InvalidOptionError('key', 'a string', key)
}
