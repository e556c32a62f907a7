import type { Clock } from '@millrace/cache-core'
import { type Codec, structuredCodec } from '@millrace/cache-core/store'
import {
  checkClock,
  checkFunction,
  checkMethods,
  checkPositive,
  checkPositiveOrInfinity,
  monotonicClock,
  type OptionNames,
} from '@millrace/kit'
import type { BestEffortOptions } from './best-effort-store.ts'

/** Options of what keeps results in a store. */
export interface KeepingOptions {
  /**
   * How results become bytes. Default: the structured clone algorithm (`structuredCodec`), which keeps dates, maps, sets and cycles; only for
   * stores that no one else may write to. A result that does not come back the same is a `ResultError`.
   */
  readonly codec?: Codec<unknown> | undefined
  /** ms for which new results wait for others to be written with them, > 0. Default: 500. */
  readonly writeDelay?: number | undefined
  /** ms for which a result is kept after it was last of use, > 0. Default: Infinity, as long as the store likes. */
  readonly retention?: number | undefined
  /**
   * ms that one call of the store may take, > 0; a store that takes longer is left alone for ten times as long. Infinity for no limit.
   * Default: 10,000.
   */
  readonly storeTimeout?: number | undefined
  /** Told of a failure of the store, at most once until it works again: results are made anew meanwhile. Default: not told. */
  readonly onStoreError?: ((error: unknown) => void) | undefined
  /** Source of time for delays and timeouts. Default: the monotonic clock. */
  readonly clock?: Clock | undefined
}

export const KEEPING_OPTIONS: OptionNames<KeepingOptions> = {
  codec: true,
  writeDelay: true,
  retention: true,
  storeTimeout: true,
  onStoreError: true,
  clock: true,
}

/** {@link KeepingOptions} with their defaults. */
export interface KeepingSettings extends BestEffortOptions {
  readonly codec: Codec<unknown>
}

/** @throws {InvalidOptionError} */
export function keepingSettings(options: KeepingOptions): KeepingSettings {
  const { codec = structuredCodec, clock = monotonicClock } = options
  const { onStoreError = () => undefined } = options
  return {
    codec: checkMethods('codec', codec, 'a Codec', ['encode', 'decode']),
    writeDelay: checkPositive('writeDelay', options.writeDelay ?? 500),
    retention: checkPositiveOrInfinity('retention', options.retention ?? Infinity),
    storeTimeout: checkPositiveOrInfinity('storeTimeout', options.storeTimeout ?? 10_000),
    onError: checkFunction('onStoreError', onStoreError),
    clock: checkClock('clock', clock),
  }
}
