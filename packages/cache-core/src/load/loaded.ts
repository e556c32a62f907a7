import { assertPositive } from '../cache/cache-options.ts'
import { checkTags } from './load-options.ts'

/** What a loader can decide about the value it returns. */
export interface LoadedOptions {
  /** ms after which this value expires, > 0. Default: that of the call. */
  readonly ttl?: number
  /** Tags of this value, instead of those of the call. */
  readonly tags?: readonly string[]
  /** `false`: callers get the value, the cache does not keep it. Default `true`. */
  readonly store?: boolean
}

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
 * @throws {@link InvalidOptionError} if `ttl` or `tags` is outside its bounds.
 */
export function loaded<V>(value: V, options: LoadedOptions): Loaded<V> {
  if (options.ttl !== undefined) assertPositive('ttl', options.ttl)
  if (options.tags !== undefined) checkTags(options.tags)
  return new Loaded(value, options)
}
