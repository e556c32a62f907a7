import type { Clock } from '@millrace/kit'
import { ForwardingHandler } from '../forwarding-handler.ts'
import type { Controller, Handler, ResponseHeaders } from '../handler.ts'
import type { CallPolicy } from '../request/call-policy.ts'
import type { Dispatch, ExchangeOptions } from '../request/exchange-options.ts'
import { totalDeadline } from '../time/total-deadline.ts'

/**
 * Requests that renew in the background what a call was given stale (RFC 5861 section 3): one at a time for the same answer, and by
 * the limits of the pool, as the call that found it stale has its answer and its deadline says nothing of others.
 */
export class Renewals {
  readonly #policy: CallPolicy
  readonly #clock: Clock
  readonly #running = new Set<string>()

  constructor(policy: CallPolicy, clock: Clock) {
    this.#policy = policy
    this.#clock = clock
  }

  /** @param handler of the cache, which hears nothing where the same renewal is under way already */
  dispatch(options: ExchangeOptions, handler: Handler, next: Dispatch): void {
    const { origin, path, headers } = options
    const key = JSON.stringify([String(origin), path, headers])
    if (this.#running.has(key)) return
    this.#running.add(key)
    const renewal = new Renewal(handler, () => this.#running.delete(key))
    const total = totalDeadline(this.#policy.totalTimeout, this.#clock)
    try {
      next({ ...options, policy: undefined, total }, renewal)
    } catch (error) {
      renewal.onResponseError(null, error as Error)
    }
  }
}

/** Says when it is over. */
class Renewal extends ForwardingHandler {
  readonly #onOver: () => void

  constructor(downstream: Handler, onOver: () => void) {
    super(downstream)
    this.#onOver = onOver
  }

  override onResponseEnd(controller: Controller, trailers: ResponseHeaders): void {
    this.#onOver()
    super.onResponseEnd(controller, trailers)
  }

  override onResponseError(controller: Controller | null, error: Error): void {
    this.#onOver()
    super.onResponseError(controller, error)
  }
}
