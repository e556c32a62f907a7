import {
  checkList,
  checkOptions,
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

/** Options of a call that has no others. */
export function checkCall(options: StoreCallOptions | undefined): StoreCallOptions {
  return options === undefined ? NONE : withSignal(checkOptions('', options, CALL))
}

export function checkClear(options: StoreClearOptions | undefined): StoreClearOptions {
  if (options === undefined) return NONE
  const { expire } = withSignal(checkOptions('', options, CLEAR))
  if (expire === undefined || typeof expire === 'boolean') return options
  throw new InvalidOptionError('expire', 'true or false', expire)
}

export function checkSearch(options: StoreKeysOptions | undefined): StoreKeysOptions {
  if (options === undefined) return NONE
  const { prefix } = withSignal(checkOptions('', options, KEYS))
  if (prefix !== undefined) checkName('prefix', prefix)
  return options
}

export function checkSet(
  options: (StoreSetOptions & StoreCallOptions) | undefined,
): StoreSetOptions & StoreCallOptions {
  if (options === undefined) return NONE
  checkValue(withSignal(checkOptions('', options, SET)))
  return options
}

export function checkItems<V>(items: readonly StoreItem<V>[]): readonly StoreItem<V>[] {
  for (const item of checkList('items', items)) {
    checkName('key', checkOptions('item', item, ITEM).key)
    checkValue(item)
  }
  return items
}

/** Keys or tags: stores find values by strings alone. */
export function checkName(option: string, name: string): string {
  if (typeof name === 'string') return name
  throw new InvalidOptionError(option, 'a string', name)
}

export function checkKeys(keys: readonly string[]): readonly string[] {
  for (const key of checkList('keys', keys)) checkName('key', key)
  return keys
}

function withSignal<O extends StoreCallOptions>(options: O): O {
  const { signal } = options
  if (signal === undefined || signal instanceof AbortSignal) return options
  throw new InvalidOptionError('signal', 'an AbortSignal', signal)
}

/** Lives are checked where defaults are put in. */
function checkValue({ tags, fence }: StoreSetOptions): void {
  if (tags !== undefined) checkTags('tags', tags)
  if (fence === undefined) return
  const { epoch, at } = (fence ?? {}) as Partial<Fence>
  if (Number.isFinite(epoch) && Number.isFinite(at)) return
  throw new InvalidOptionError('fence', 'a fence of the store', fence)
}
