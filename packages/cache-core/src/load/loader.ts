import type { Loaded } from './loaded.ts'

/** What a loader is called with. */
export interface LoadContext<K, V> {
  readonly key: K
  /** The expired value, if one is still held: for conditional requests. Return it to keep it. */
  readonly stale: V | undefined
  /** Whether it is a refresh behind a value that was served, so that no caller waited when it began. */
  readonly background: boolean
  /**
   * Aborted when the hard timeout passes, or when every caller has given up. Reading it costs an
   * `AbortController`; loaders that do not read it do not pay for one.
   */
  readonly signal: AbortSignal
}

/** Produces the value of one key. It may be synchronous; `undefined` is refused, `null` is a value. */
export type Loader<K, V> = (
  context: LoadContext<K, V>,
) => V | Loaded<V> | PromiseLike<V | Loaded<V>>
