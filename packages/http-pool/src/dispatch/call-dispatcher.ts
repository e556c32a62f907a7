import { Dispatcher } from 'undici'
import type { Handler } from '../handler.ts'
import type { ExchangeOptions } from '../request/exchange-options.ts'

/** A pool's dispatcher for one call of several requests, such as a fetch that follows redirects: what it adds holds for them all. */
export class CallDispatcher extends Dispatcher {
  readonly #dispatcher: Dispatcher
  readonly #added: Partial<ExchangeOptions>

  constructor(dispatcher: Dispatcher, added: Partial<ExchangeOptions>) {
    super()
    this.#dispatcher = dispatcher
    this.#added = added
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Handler): boolean {
    return this.#dispatcher.dispatch({ ...options, ...this.#added }, handler)
  }
}
