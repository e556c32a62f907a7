import {
  type Clock,
  checkOptions,
  checkPositiveOrInfinity,
  describeStats,
  type OptionNames,
} from '@millrace/kit'
import { STORE_STATS_KINDS, type StoreStats } from '../contract/store.ts'
import { PACKING_OPTIONS, type PackingOptions } from '../format/value-packer.ts'
import type { LifetimeOptions } from '../lifetimes.ts'
import { LocalStore } from '../local-store.ts'
import { SteadyClock } from '../steady-clock.ts'
import { MemoryEntries } from './memory-entries.ts'

/** Options of a {@link MemoryStore}. */
export interface MemoryStoreOptions<V> extends LifetimeOptions, PackingOptions<V> {
  /** Packed bytes of keys and values held at most, above 0. Default: 67,108,864 (64 MiB). */
  readonly maxBytes?: number | undefined
  /** Source of time, in ms since 1970. Default: the system's, steps back left out. */
  readonly clock?: Clock | undefined
}

const OPTIONS: OptionNames<MemoryStoreOptions<unknown>> = {
  ...PACKING_OPTIONS,
  ttl: true,
  retention: true,
  maxBytes: true,
  clock: true,
}

/** Counters of a {@link MemoryStore}. */
export interface MemoryStoreStats extends StoreStats {
  /** Values held, gone ones that were not yet met included. */
  readonly entries: number
  /** Packed bytes of keys and values held. */
  readonly bytes: number
}

/**
 * A `Store` in this process: a second tier for tests and for compressed values that are read rarely. Values are packed as in
 * the other stores, so what was stored cannot change under the caller. Evicts what was not read since its last turn.
 */
export class MemoryStore<V = unknown> extends LocalStore<V, MemoryEntries> {
  /** @throws {InvalidOptionError} */
  constructor(options: MemoryStoreOptions<V> = {}) {
    const { maxBytes = 64 * 1024 * 1024, clock } = checkOptions('', options, OPTIONS)
    checkPositiveOrInfinity('maxBytes', maxBytes)
    const steady = new SteadyClock(clock)
    super({ ...options, clock: steady }, counters => new MemoryEntries(maxBytes, counters))
  }

  override stats(): MemoryStoreStats {
    return { ...super.stats(), entries: this.backend.size, bytes: this.backend.bytes }
  }
}

describeStats<MemoryStoreStats>(MemoryStore.prototype, {
  ...STORE_STATS_KINDS,
  entries: 'gauge',
  bytes: 'gauge',
})
