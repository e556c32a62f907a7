import type { StoreCounters } from '@millrace/cache-core/store'
import type { Connection } from '../connection/connection.ts'
import type { KeySpace } from '../protocol/key-space.ts'
import type { ScriptLines } from '../protocol/script-line.ts'
import type { Recovery } from '../recovery/recovery.ts'
import type { ValueWriter } from './value-writer.ts'

/** What the parts of a `RedisStore` work on together. */
export interface StoreBase<V> {
  readonly connection: Connection
  readonly space: KeySpace
  readonly lines: ScriptLines
  readonly values: ValueWriter<V>
  readonly recovery: Recovery
  readonly counters: RedisCounters
}

/** Counters of a `RedisStore` that its connection does not have. */
export interface RedisCounters extends StoreCounters {
  /** Keys of another type than ours under names of ours. */
  foreign: number
}

/** What the script answers for a key of another type, which it leaves alone. */
export const FOREIGN = 4
