import { type Clock, setAwaitedTimer, type Timer } from '@millrace/kit'
import type { AcquireOptions } from '../../wait/acquire-options.ts'
import type { WaitOrder } from '../../wait/order/wait-order.ts'
import { WaitList } from '../../wait/wait-list.ts'
import type { WaitCounts } from '../../wait/wait-totals.ts'

/** What one call to the store came to. */
export type Attempt<G> =
  | { granted: true; value: G }
  | {
      granted: false
      retryIn: number
      /** Why so much can never pass, by settings that other processes have brought. */
      refusal?: Error | undefined
    }

export interface RemoteQueueOptions<G> {
  readonly name: string
  readonly clock: Clock
  readonly maxQueue: number | undefined
  readonly order: WaitOrder | undefined
  attempt(cost: number): Promise<Attempt<G>>
  /** Takes back a grant whose caller has left meanwhile. */
  giveBack(value: G): void
}

/**
 * The callers of this process that wait for a limit which only the store can grant: in order, with one call to the store
 * under way at a time, for the first of them. Between calls it sleeps until the store expects something to be free, or
 * until {@link poke}.
 */
export class RemoteQueue<G> {
  readonly #waiters: WaitList<G>
  readonly #options: RemoteQueueOptions<G>
  #grant: G | undefined = undefined
  #grantCost = 0
  #pumping = false
  #timer: Timer | undefined = undefined
  #wakeUp: () => void = () => {}
  /** Whether something became free since the store was last asked. */
  #poked = false

  constructor(options: RemoteQueueOptions<G>) {
    this.#options = options
    const { name, clock, maxQueue, order } = options
    this.#waiters = new WaitList<G>(
      {
        timed: false,
        dueAt: (cost, ahead, now) =>
          this.#grant !== undefined && ahead === 0 && cost === this.#grantCost ? now : Infinity,
        admit: () => {
          const grant = this.#grant as G
          this.#grant = undefined
          return grant
        },
        idle: () => this.#wakeUp(),
      },
      { name, clock, maxQueue, order },
    )
  }

  get size(): number {
    return this.#waiters.size
  }

  get closed(): boolean {
    return this.#waiters.closed
  }

  get counts(): WaitCounts {
    return this.#waiters
  }

  /** Waits for a grant. @throws (by rejection) what `attempt` rejects with, for all who wait */
  wait(cost: number, options: AcquireOptions | undefined): Promise<G> {
    const grant = this.#waiters.wait(cost, options)
    if (!this.#pumping && this.#waiters.size > 0) void this.#pump()
    return grant
  }

  /** Asks the store again now, because something may have become free. */
  poke(): void {
    this.#poked = true
    this.#wakeUp()
  }

  close(): void {
    this.#waiters.close()
    this.poke()
  }

  async #pump(): Promise<void> {
    this.#pumping = true
    try {
      while (this.#waiters.size > 0) {
        const cost = this.#waiters.first!.cost
        this.#poked = false
        const result = await this.#options.attempt(cost)
        if (result.granted) this.#handOut(result.value, cost)
        else if (result.refusal !== undefined) {
          this.#waiters.evict(waiter => (waiter.cost >= cost ? result.refusal : undefined))
        } else if (this.#waiters.size > 0 && !this.#poked) await this.#sleep(result.retryIn)
      }
    } catch (error) {
      this.#waiters.evict(() => error as Error)
    } finally {
      this.#pumping = false
    }
  }

  #handOut(grant: G, cost: number): void {
    this.#grant = grant
    this.#grantCost = cost
    this.#waiters.serve()
    if (this.#grant === undefined) return
    this.#grant = undefined
    this.#options.giveBack(grant)
  }

  #sleep(ms: number): Promise<void> {
    return new Promise(resolve => {
      this.#wakeUp = () => {
        this.#timer?.cancel()
        this.#wakeUp = () => {}
        resolve()
      }
      this.#timer = setAwaitedTimer(this.#options.clock, this.#wakeUp, ms)
    })
  }
}
