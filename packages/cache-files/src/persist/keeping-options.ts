import type { Clock } from '@millrace/cache-core'
import { type Codec, structuredCodec } from '@millrace/cache-core/store'
import {
  checkClock,
  checkFunction,
  checkMethods,
  checkPositive,
  checkPositiveOrInfinity,
  monotonicClock,
  type OptionRules,
  type Resolved,
  withDefault,
} from '@millrace/kit'

/** Options of what keeps results in a store. */
export interface KeepingOptions {
  /**
   * How results become bytes. Default: the structured clone algorithm (`structuredCodec`), which keeps dates, maps, sets and cycles; only for
   * stores that no other program may write to. A result that does not come back the same is a `ResultError`.
   */
  readonly codec?: Codec<unknown> | undefined
  /** ms for which new results wait for others to be written with them, > 0. Default: 500. */
  readonly writeDelay?: number | undefined
  /** ms for which a result is kept after it was last of use, > 0. Default: Infinity, as long as the store likes. */
  readonly retention?: number | undefined
  /**
   * ms that one call of the store may take, > 0 and finite; a store that takes longer is left alone for ten times as long.
   * Default: 10,000.
   */
  readonly storeTimeout?: number | undefined
  /** Told of a failure of the store, at most once until it works again: results are made anew meanwhile. Default: not told. */
  readonly onStoreError?: ((error: unknown) => void) | undefined
  /** Source of time for delays and timeouts. Default: the monotonic clock. */
  readonly clock?: Clock | undefined
}

/** What is used of a store. */
export const STORE_METHODS = ['get', 'getMany', 'setMany', 'delete'] as const

/** What {@link KeepingOptions} come to. */
type KeepingSettings = Resolved<KeepingOptions>

export const KEEPING_RULES: OptionRules<KeepingOptions> = {
  codec: withDefault(structuredCodec, checkMethods<Codec<unknown>>, 'a Codec', [
    'encode',
    'decode',
  ]),
  writeDelay: withDefault(500, checkPositive),
  retention: withDefault(Infinity, checkPositiveOrInfinity),
  storeTimeout: withDefault(10_000, checkPositive),
  onStoreError: withDefault(() => undefined, checkFunction<KeepingSettings['onStoreError']>),
  clock: withDefault(monotonicClock, checkClock<Clock>),
}
