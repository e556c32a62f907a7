import {
  checkBoolean,
  checkOptions,
  checkPositiveOrInfinity,
  type OptionNames,
} from '@millrace/kit'
import { checkTags } from '../invalidate/check-tags.ts'

/** What a loader can decide about the value it returns. */
export interface LoadedOptions {
  /** ms after which this value expires, > 0. Default: that of the call */
  readonly ttl?: number | undefined
  /** Tags of this value, instead of those of the call. Default: those of the call */
  readonly tags?: readonly string[] | undefined
  /** `false`: callers get the value, the cache does not keep it. Default: true */
  readonly store?: boolean | undefined
}

const LOADED_OPTIONS: OptionNames<LoadedOptions> = { ttl: true, tags: true, store: true }

/** A loaded value with options of its own, made by {@link loaded}. */
export class Loaded<V> {
  readonly value: V
  readonly ttl: number | undefined
  readonly tags: readonly string[] | undefined
  readonly store: boolean

  /** A `ttl` that is not > 0 makes a value that has been stale for as long. */
  constructor(value: V, { ttl, tags, store = true }: LoadedOptions) {
    this.value = value
    this.ttl = ttl
    this.tags = tags
    this.store = store
  }
}

/**
 * For a loader to return when what it loaded decides how it is cached:
 * `return loaded(user, { ttl: maxAge, tags: [user.org] })`.
 *
 * @throws {InvalidOptionError} if an option is outside its bounds or unknown.
 */
export function loaded<V>(value: V, options: LoadedOptions): Loaded<V> {
  checkOptions('', options, LOADED_OPTIONS)
  if (options.ttl !== undefined) checkPositiveOrInfinity('ttl', options.ttl)
  if (options.tags !== undefined) checkTags('tags', options.tags)
  if (options.store !== undefined) checkBoolean('store', options.store)
  return new Loaded(value, options)
}
