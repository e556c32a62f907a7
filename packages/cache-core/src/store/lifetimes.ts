import { InvalidOptionError } from '../errors.ts'
import type { StoreSetOptions } from './store.ts'

/** Options that every store takes. */
export interface LifetimeOptions {
  /** ms for which values are fresh unless their `set` says otherwise, > 0. Default Infinity. */
  readonly ttl?: number
  /** ms for which stale copies are kept after that, >= 0. Default 0. */
  readonly retention?: number
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
  if (!(ttl > 0)) throw new InvalidOptionError('ttl', 'a number > 0', ttl)
  if (!(retention >= 0)) throw new InvalidOptionError('retention', 'a number >= 0', retention)
}
