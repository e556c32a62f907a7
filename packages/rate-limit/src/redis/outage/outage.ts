import type { Clock, Timer } from '@millrace/kit'
import { LimitStoreUnavailableError } from '../../errors.ts'
import type { StoreGuard } from '../client/store-guard.ts'
import type { Ledger } from './ledger.ts'
import type { OutageMode } from './outage-mode.ts'
import type { Peers } from './peers.ts'

export interface OutageRules<Mode extends OutageMode, Debt> {
  mode: Mode
  ledger: Ledger<Debt>
  /** Whom the limit is divided among meanwhile; undefined where the mode does not divide it. */
  peers: Peers | undefined
  guard: StoreGuard
  clock: Clock
}

/**
 * The way of every limiter around a store that is away: ask it; failing that, do what the mode says and keep account;
 * and once it is back tell it first what passed without it, whether it is called or not.
 */
export class Outage<Mode extends OutageMode, Debt> {
  readonly mode: Mode
  readonly #rules: OutageRules<Mode, Debt>
  #timer: Timer | undefined = undefined
  #closed = false

  constructor(rules: OutageRules<Mode, Debt>) {
    this.mode = rules.mode
    this.#rules = rules
  }

  /** Permits that passed without the store and that it does not know of yet. */
  get owed(): number {
    return this.#rules.ledger.owed
  }

  /** How many processes share the limit, as far as is known. */
  get processes(): number {
    return this.#rules.peers?.counted ?? 1
  }

  /** Among how many it is divided in an outage: rather too many than too few. */
  get divisor(): number {
    return this.#rules.peers?.most ?? 1
  }

  /** Whether the limit is divided among the processes in an outage. */
  get divided(): boolean {
    return this.#rules.peers !== undefined
  }

  /**
   * For how many ms more calls keep to this process' share although the store answers: others have not noticed yet, and keep to
   * theirs without it. 0 where the mode does not divide the limit.
   */
  get recovery(): number {
    const { peers, guard, clock } = this.#rules
    return peers === undefined ? 0 : guard.recovery(clock.now())
  }

  /**
   * @param ask asks the store, after what is owed under `key` has been settled, or without a key all that is owed
   * @param instead does what the mode says while the store is away; not called where that is `'closed'`
   * @throws (by rejection) {LimitStoreUnavailableError} where the mode is `'closed'`; what `ask` and `instead` throw
   */
  async bridge<T>(
    ask: () => Promise<T>,
    instead: (error: LimitStoreUnavailableError) => T | Promise<T>,
    key?: string,
  ): Promise<T> {
    try {
      await this.settle(key)
      const answer = await ask()
      const counting = this.#rules.peers?.called()
      // An outage that begins right now must find out among whom the limit is divided.
      if (counting !== undefined) await counting
      return answer
    } catch (error) {
      if (!(error instanceof LimitStoreUnavailableError) || this.mode === 'closed') throw error
      return instead(error)
    }
  }

  /** Enters what passed without the store. */
  owe(key: string, debt: Debt): void {
    this.#rules.ledger.add(key, debt)
    this.#remind()
  }

  /** Tells the store what passed without it. @throws (by rejection) {LimitStoreUnavailableError} */
  settle(key?: string): Promise<void> | undefined {
    const { ledger } = this.#rules
    if (ledger.empty) return undefined
    return key === undefined ? ledger.settleAll() : ledger.settle(key)
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#rules.peers?.close()
  }

  #remind(): void {
    const { ledger, clock, guard } = this.#rules
    if (ledger.empty || this.#timer !== undefined || this.#closed) return
    const again = () => {
      this.#timer = undefined
      this.#remind()
    }
    // While the store is still away what is owed stays in the ledger, for the next time.
    this.#timer = clock.setTimer(() => void ledger.settleAll().then(again, again), guard.cooldown)
  }
}
