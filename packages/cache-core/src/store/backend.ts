import type { Fence } from './store.ts'

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

/**
 * What is under a {@link LocalStore}: packed values, and which invalidations concern them. Every call is synchronous and one
 * step for the other callers of this process. `now` is ms on the store's clock.
 */
export interface Backend {
  /** Version of the latest invalidation. */
  epoch(): number
  /** The value of a key unless it is gone. */
  read(key: string, now: number): StoredValue | undefined
  /** Which of the values were written; the others their fences, or a limit, forbade. */
  write(writes: readonly StoredWrite[], now: number): boolean[]
  /** Deletes values, and outdates fences for their keys; how many there were. */
  remove(keys: readonly string[], now: number): number
  /** Makes a value stale, and outdates fences for its key; whether there was one. */
  expire(key: string, now: number): boolean
  invalidateTag(tag: string, expire: boolean): void
  clear(expire: boolean): void
  /** Keys of values that are not gone. What is written or removed meanwhile may be among them. */
  keys(now: number): Iterable<string>
  /** A value turned out to be worthless: removes it unless it was replaced. */
  discard(key: string, value: StoredValue): void
  close(): void
}

/** A {@link Backend} whose limit and whose dead values need a visit now and then. */
export interface SweptBackend extends Backend {
  sweep(now: number): void
}
