import { checkInteger, checkOptions, type OptionNames } from '@millrace/kit'

/** Options of an {@link AccessOrder}. */
export interface AccessOrderOptions {
  /** Keys noted, 1 to 16,777,216; those met later are left out. Default: 10,000. */
  readonly maxKeys?: number | undefined
}

const OPTIONS: OptionNames<AccessOrderOptions> = { maxKeys: true }

/**
 * The keys in the order in which a run first used them: the next run is warmed in that order, so that what is needed first is there
 * first. Keep `keys()` with what the program stores at its end.
 */
export class AccessOrder<K> {
  readonly #maxKeys: number
  readonly #uses = new Map<K, number>()

  /** @throws {InvalidOptionError} */
  constructor(options: AccessOrderOptions = {}) {
    const { maxKeys = 10_000 } = checkOptions('', options, OPTIONS)
    // What a `Map` holds.
    this.#maxKeys = checkInteger('maxKeys', maxKeys, 1, 2 ** 24)
  }

  /** Notes that a key was used. O(1). */
  record(key: K): void {
    const uses = this.#uses.get(key)
    if (uses !== undefined) this.#uses.set(key, uses + 1)
    else if (this.#uses.size < this.#maxKeys) this.#uses.set(key, 1)
  }

  /** The keys that were used so many times or more, in the order of their first use. Default: 1. O(keys). */
  keys(least = 1): K[] {
    checkInteger('least', least, 1)
    return [...this.#uses].filter(([, uses]) => uses >= least).map(([key]) => key)
  }
}
