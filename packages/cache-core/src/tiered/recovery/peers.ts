import { type BreakerSettings, CircuitBreaker, type Clock } from '@millrace/kit'
import { tellListener } from '../../tell-listener.ts'
import { type TimeLimit, within } from '../../time/within.ts'
import type { BusListener, Invalidation, InvalidationBus } from '../bus/invalidation-bus.ts'
import { subscribe } from '../bus/subscribe.ts'
import { Recovery } from './recovery.ts'
import { RecoveryQueue } from './recovery-queue.ts'

/** What {@link Peers} are reached by. */
export interface PeersOptions {
  readonly bus: InvalidationBus | undefined
  readonly clock: Clock
  /** ms for which the bus is waited for. */
  readonly timeout: number
  readonly breaker: BreakerSettings
}

/**
 * The first tiers of the other processes. A change does not fail because they cannot be told: that is counted and
 * repeated. A bus that does not answer is waited for until the time-out, and after several failures not at all for a while.
 */
export class Peers {
  readonly #bus: InvalidationBus | undefined
  readonly #limit: TimeLimit
  readonly #breaker: CircuitBreaker
  readonly #recovery: Recovery
  #unsubscribe: (() => void) | undefined
  failures = 0

  constructor({ bus, clock, timeout, breaker }: PeersOptions) {
    this.#bus = bus
    this.#limit = { clock, timeout, expired: () => new Error('The bus did not answer in time') }
    this.#breaker = new CircuitBreaker(clock, breaker)
    this.#recovery = new Recovery({
      clock,
      queue: new RecoveryQueue(),
      interval: breaker.cooldown,
      repeat: each => this.#send([each]),
    })
  }

  /** Whether the store itself publishes what it does. */
  carry(store: unknown): boolean {
    return this.#bus?.carries?.(store) === true
  }

  listen(listener: BusListener): void {
    this.#unsubscribe = subscribe(this.#bus, listener)
  }

  /** Never rejects. */
  async tell(invalidations: readonly Invalidation[]): Promise<void> {
    if (this.#bus === undefined) return
    try {
      await this.#send(invalidations)
    } catch {
      this.failures++
      this.#recovery.add(invalidations)
    }
  }

  /** Leaves the bus, after one more attempt to publish what is pending. */
  async close(): Promise<void> {
    await this.#recovery.close(this.#limit.timeout)
    tellListener('unsubscribe', () => this.#unsubscribe?.())
  }

  async #send(invalidations: readonly Invalidation[]): Promise<void> {
    if (this.#breaker.enter() > 0) throw new Error('The bus failed too often')
    let sent = false
    try {
      await within(this.#limit, () => this.#bus!.publish(invalidations))
      sent = true
    } finally {
      this.#breaker.settle(sent)
    }
  }
}
