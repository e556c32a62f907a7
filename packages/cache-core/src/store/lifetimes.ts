import { checkNonNegativeOrInfinity, checkPositiveOrInfinity } from '@millrace/kit'
import type { StoreSetOptions } from './contract/store.ts'

/** Options that every store takes. */
export interface LifetimeOptions {
  /** ms for which values are fresh unless their `set` says otherwise, above 0. Default: Infinity. */
  readonly ttl?: number | undefined
  /** ms for which stale copies are kept after that, at least 0. Default: 0. */
  readonly retention?: number | undefined
}

/** Lifetimes of a store's values: its own defaults and the options of one `set`, validated. */
export class Lifetimes {
  readonly #ttl: number
  readonly #retention: number

  /** @throws {InvalidOptionError} */
  constructor({ ttl = Infinity, retention = 0 }: LifetimeOptions) {
    check(ttl, retention)
    this.#ttl = ttl
    this.#retention = retention
  }

  /**
   * When a value stored at `now` becomes stale and when it goes.
   *
   * @throws {InvalidOptionError}
   */
  of(options: StoreSetOptions, now: number): { expires: number; retained: number } {
    const { ttl = this.#ttl, retention = this.#retention } = options
    check(ttl, retention)
    const expires = now + ttl
    return { expires, retained: expires + retention }
  }
}

function check(ttl: number, retention: number): void {
  checkPositiveOrInfinity('ttl', ttl)
  checkNonNegativeOrInfinity('retention', retention)
}
