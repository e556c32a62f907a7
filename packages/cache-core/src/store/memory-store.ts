import { InvalidOptionError } from '../errors.ts'
import { systemClock, type TimeSource } from '../time/turn-clock.ts'
import type { LifetimeOptions } from './lifetimes.ts'
import { LocalStore } from './local-store.ts'
import { MemoryEntries } from './memory-entries.ts'
import type { StoreStats } from './store.ts'
import type { PackingOptions } from './value-packer.ts'

/** Options of a {@link MemoryStore}. */
export interface MemoryStoreOptions<V> extends LifetimeOptions, PackingOptions<V> {
  /** Packed bytes of keys and values held at most, > 0. Default 64 MiB. */
  readonly maxBytes?: number
  /** Source of time, in ms since 1970. Default: the system's. */
  readonly clock?: TimeSource
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
    const { maxBytes = 64 * 1024 * 1024, clock = systemClock } = options
    if (!(maxBytes > 0)) throw new InvalidOptionError('maxBytes', 'a number > 0', maxBytes)
    super({ ...options, clock }, counters => new MemoryEntries(maxBytes, counters))
  }

  override stats(): MemoryStoreStats {
    return { ...super.stats(), entries: this.backend.size, bytes: this.backend.bytes }
  }
}
