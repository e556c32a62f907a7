/** What the cache has for a key that is to be loaded. */
export interface LoadState<V> {
  /** To be returned as it is. */
  readonly served: V | undefined
  /** Expired value, for the loader to compare with. */
  readonly stale: V | undefined
  /** The stale value, as long as it may be served in place of a failure. */
  readonly fallback: (() => V | undefined) | undefined
  /** A refresh is due that no caller waits for. */
  readonly refresh: boolean
}

/** There is nothing under the key, or nothing that may be served. */
export const NOTHING: LoadState<unknown> = {
  served: undefined,
  stale: undefined,
  fallback: undefined,
  refresh: false,
}
