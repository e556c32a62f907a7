import type { Fence } from './contract/store.ts'

/** A value as a {@link Backend} keeps it. */
export interface StoredValue {
  readonly packed: Uint8Array
  /** 0 if an invalidation made it stale. */
  readonly expires: number
  readonly retained: number
  readonly version: number
  readonly tags: readonly string[]
}

/** One value to be written. */
export interface StoredWrite {
  readonly key: string
  readonly packed: Uint8Array
  readonly expires: number
  readonly retained: number
  readonly tags: readonly string[]
  /** `undefined`: the value wins over everything that began before. */
  readonly fence: Fence | undefined
}

/** What a {@link Backend.lookup} found. */
export interface Looked {
  readonly epoch: number
  readonly found: readonly (StoredValue | undefined)[]
}

/**
 * What is under a {@link LocalStore}: packed values, and which invalidations concern them. Every call is synchronous, one
 * step for the other callers of this process, and one snapshot of what other processes do. `now` is ms on the store's clock.
 */
export interface Backend {
  /** Version of the latest invalidation. */
  epoch(): number
  /** The value of a key unless it is gone. */
  read(key: string, now: number): StoredValue | undefined
  readMany(keys: readonly string[], now: number): (StoredValue | undefined)[]
  /** The values, and the epoch before they were read: what is invalidated in between refuses the results of loads. */
  lookup(keys: readonly string[], now: number): Looked
  /** Which of the values were written; the others their fences, or a limit, forbade. All or none are, if it throws. */
  write(writes: readonly StoredWrite[], now: number): boolean[]
  /** Deletes values, or makes them stale, and outdates fences for their keys; how many there were. */
  invalidate(keys: readonly string[], expire: boolean, now: number): number
  invalidateTag(tag: string, expire: boolean): void
  clear(expire: boolean): void
  /** Keys of values that are not gone. What is written or removed meanwhile may be among them. */
  keys(now: number): Iterable<string>
  close(): void
}

/** A {@link Backend} whose limit and whose dead values need a visit now and then. */
export interface SweptBackend extends Backend {
  sweep(now: number): void
}
