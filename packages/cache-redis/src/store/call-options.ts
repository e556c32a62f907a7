import type {
  StoreCallOptions,
  StoreClearOptions,
  StoreItem,
  StoreKeysOptions,
  StoreSetOptions,
} from '@millrace/cache-core/store'
import {
  checkList,
  checkMethods,
  checkOptions,
  InvalidOptionError,
  NULLABLE,
  type OptionNames,
} from '@millrace/kit'

const CALL: OptionNames<StoreCallOptions> = { signal: true }
const CLEAR: OptionNames<StoreClearOptions> = { ...CALL, expire: true }
const KEYS: OptionNames<StoreKeysOptions> = { ...CALL, prefix: true }
const VALUE: OptionNames<StoreSetOptions> = { ttl: true, retention: true, tags: true, fence: true }
const SET: OptionNames<StoreSetOptions & StoreCallOptions> = { ...CALL, ...VALUE }
const ITEM: OptionNames<StoreItem<unknown>> = { ...VALUE, key: true, value: NULLABLE }
const NONE = {}

/** Options of a call that has no others. */
export function checkCall(options: StoreCallOptions | undefined): StoreCallOptions {
  return options === undefined ? NONE : checkSignal(checkOptions('', options, CALL))
}

export function checkClear(options: StoreClearOptions | undefined): StoreClearOptions {
  return options === undefined ? NONE : checkSignal(checkOptions('', options, CLEAR))
}

export function checkKeys(options: StoreKeysOptions | undefined): StoreKeysOptions {
  return options === undefined ? NONE : checkSignal(checkOptions('', options, KEYS))
}

export function checkSet(
  options: (StoreSetOptions & StoreCallOptions) | undefined,
): StoreSetOptions & StoreCallOptions {
  return options === undefined ? NONE : checkSignal(checkOptions('', options, SET))
}

export function checkItem<V>(item: StoreItem<V>): StoreItem<V> {
  const { key, fence } = checkOptions('item', item, ITEM)
  checkKey(key)
  // One of another store is no mistake: what it guards is refused.
  if (fence !== undefined && Object(fence) !== fence) {
    throw new InvalidOptionError('fence', 'a fence, as `fence` and `lookup` return it', fence)
  }
  return item
}

/** Keys in a list of their own, so that they stay as they are while the call lasts. */
export function checkKeyList(keys: readonly string[]): readonly string[] {
  return checkList('keys', keys, 'an array of strings').map(checkKey)
}

function checkSignal<O extends StoreCallOptions>(options: O): O {
  const { signal } = options
  if (signal !== undefined) {
    checkMethods('signal', signal, 'an AbortSignal', ['addEventListener', 'removeEventListener'])
  }
  return options
}

export function checkKey(key: unknown): string {
  if (typeof key === 'string') return key
  throw new InvalidOptionError('key', 'a string', key)
}
