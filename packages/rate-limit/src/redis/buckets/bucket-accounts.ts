import { LimitStoreUnavailableError } from '../../errors.ts'
import type { StoreGuard } from '../client/store-guard.ts'
import type { Ledger } from '../outage/ledger.ts'
import type { BucketMark, BucketStore } from '../stores/bucket-store.ts'

export interface BucketAccountsOptions {
  /** Tokens that Redis has to be told of by key: that they passed, or below 0 that they are given back. */
  readonly ledger: Ledger<number>
  readonly store: BucketStore
  readonly limit: {
    readonly guard: StoreGuard
    readonly outage: { owe(key: string, tokens: number): void }
  }
}

/** What passed without Redis, what it gave for nothing, and what is given back, until it has been told of it. */
export class BucketAccounts {
  readonly #options: BucketAccountsOptions
  /** Refunds under way. */
  readonly #returning = new Set<Promise<void>>()

  constructor(options: BucketAccountsOptions) {
    this.#options = options
  }

  /** What is owed below 0 was given when nothing waited for it any more: what passed alone is made up for by it first. */
  owe(key: string, tokens: number): void {
    this.#options.limit.outage.owe(key, tokens)
  }

  /**
   * Tells Redis of a debt.
   *
   * @param mark which what is given back leaves too: a bucket that is full is forgotten, and would be filled up to an older one
   */
  tell(key: string, spent: number, mark: BucketMark | undefined): Promise<void> {
    return spent < 0 ? this.#credit(key, -spent, mark) : this.#debit(key, spent)
  }

  /** Gives tokens back to Redis now, or as soon as it is there and knows of what passed alone before. */
  async return(key: string, tokens: number, mark?: BucketMark): Promise<void> {
    if (this.#options.ledger.get(key) !== undefined) return this.owe(key, -tokens)
    try {
      await this.#credit(key, tokens, mark)
    } catch (error) {
      if (!(error instanceof LimitStoreUnavailableError)) throw error
      this.owe(key, -tokens)
    }
  }

  /** The same in the background. */
  giveBack(key: string, tokens: number, mark: BucketMark): void {
    const returning = this.return(key, tokens, mark).finally(() =>
      this.#returning.delete(returning),
    )
    this.#returning.add(returning)
  }

  /** Resolves when all that was being given back has been, as far as that can be told. */
  async returned(): Promise<void> {
    await Promise.all(this.#returning)
  }

  /** Tells Redis of what passed without it. @throws (by rejection) {LimitStoreUnavailableError}: it is told again */
  async #debit(key: string, spent: number): Promise<void> {
    const { store, ledger } = this.#options
    const entered = await store.debit(key, spent, late => this.owe(key, -late))
    // What the bucket could not hold is forgiven, and with it what came back before: answers keep the order of calls.
    const credit = -(ledger.get(key) ?? 0)
    if (credit > 0) ledger.add(key, Math.min(credit, spent - entered))
  }

  /**
   * Gives tokens back at most once: repeated because its answer was lost, it would let too many pass.
   *
   * @throws (by rejection) {LimitStoreUnavailableError} if the call was not even sent
   */
  async #credit(key: string, tokens: number, mark?: BucketMark): Promise<void> {
    const { store, limit } = this.#options
    const before = limit.guard.trips
    const refund = store.refund(key, tokens, mark)
    const sent = limit.guard.trips > before
    await refund.catch(error => {
      if (!sent) throw error
    })
  }
}
