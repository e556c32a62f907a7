export interface LedgerOptions<Debt> {
  /** Tells the store. @throws (by rejection) where it is away; then the debt stands */
  tell(key: string, debt: Debt): Promise<void>
  /** One debt that stands for two of the same key, the older first. */
  merge(debt: Debt, later: Debt): Debt
  /** For how many permits that passed a debt stands. */
  amount(debt: Debt, key: string): number
  /** The most keys that may owe; beyond it the oldest debt is forgiven. Default: Infinity */
  readonly maxKeys?: number | undefined
}

/** So many keys are told at once, so that a long list does not keep callers waiting behind it. */
const KEYS_AT_ONCE = 64

/**
 * What passed without the store and has to be entered there: debts by key, told each by itself as a Cluster wants it. A
 * debt whose answer is lost is told again, which errs on the side of the limit.
 */
export class Ledger<Debt> {
  readonly #options: LedgerOptions<Debt>
  readonly #maxKeys: number
  readonly #debts = new Map<string, Debt>()
  readonly #telling = new Map<string, Promise<void>>()
  #owed = 0

  constructor(options: LedgerOptions<Debt>) {
    this.#options = options
    this.#maxKeys = options.maxKeys ?? Infinity
  }

  /** Whether the store knows of all. */
  get empty(): boolean {
    return this.#debts.size === 0 && this.#telling.size === 0
  }

  /** Permits that the store does not know of yet. */
  get owed(): number {
    // Sums of fractions leave a rounding behind.
    return this.empty ? 0 : this.#owed
  }

  get(key: string): Debt | undefined {
    return this.#debts.get(key)
  }

  add(key: string, debt: Debt): void {
    const { merge, amount } = this.#options
    const old = this.#debts.get(key)
    if (old === undefined && this.#debts.size >= this.#maxKeys) this.#forgiveOldest()
    if (old !== undefined) this.#owed -= amount(old, key)
    const whole = old === undefined ? debt : merge(old, debt)
    this.#debts.set(key, whole)
    this.#owed += amount(whole, key)
  }

  /** Strikes a debt out. @returns whether there was one that the store is not being told of already */
  delete(key: string): boolean {
    const debt = this.#debts.get(key)
    if (debt === undefined) return false
    this.#debts.delete(key)
    this.#owed -= this.#options.amount(debt, key)
    return true
  }

  /** Tells the store of one key's debt; all who ask meanwhile share the call. */
  settle(key: string): Promise<void> | undefined {
    const telling = this.#telling.get(key)
    if (telling !== undefined) return telling
    const debt = this.#debts.get(key)
    if (debt === undefined) return undefined
    this.#debts.delete(key)
    const told = this.#tell(key, debt).finally(() => this.#telling.delete(key))
    this.#telling.set(key, told)
    return told
  }

  /** Tells the store of all debts. @throws (by rejection) at the first that it does not hear */
  async settleAll(): Promise<void> {
    const keys = [...this.#debts.keys()]
    for (let at = 0; at < keys.length; at += KEYS_AT_ONCE) {
      await Promise.all(keys.slice(at, at + KEYS_AT_ONCE).map(key => this.settle(key)))
    }
    await Promise.all(this.#telling.values())
  }

  async #tell(key: string, debt: Debt): Promise<void> {
    const { tell, merge, amount } = this.#options
    try {
      await tell(key, debt)
      this.#owed -= amount(debt, key)
    } catch (error) {
      const later = this.#debts.get(key)
      this.delete(key)
      this.#owed -= amount(debt, key)
      this.add(key, later === undefined ? debt : merge(debt, later))
      throw error
    }
  }

  #forgiveOldest(): void {
    for (const key of this.#debts.keys()) {
      this.delete(key)
      return
    }
  }
}
