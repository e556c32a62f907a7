import { Dispatcher } from 'undici'
import type { Handler } from '../handler.ts'
import type { ExchangeOptions } from '../request/exchange-options.ts'
import { dropHeaders } from '../request/header-list.ts'

/** A pool's dispatcher for one call of several requests, such as a fetch that follows redirects: what it adds holds for them all. */
export class CallDispatcher extends Dispatcher {
  readonly #dispatcher: Dispatcher
  readonly #added: Partial<ExchangeOptions>
  readonly #credentials: readonly string[]
  #origin: string | undefined
  #hasLeft = false

  /** @param credentials names in lower case of headers that stay with the origin of the first request; `fetch` sees to its own */
  constructor(
    dispatcher: Dispatcher,
    added: Partial<ExchangeOptions>,
    credentials: readonly string[],
  ) {
    super()
    this.#dispatcher = dispatcher
    this.#added = added
    this.#credentials = credentials
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Handler): boolean {
    const origin = String(options.origin)
    this.#origin ??= origin
    if (origin !== this.#origin) this.#hasLeft = true
    const own = { ...options, ...this.#added }
    if (this.#hasLeft && this.#credentials.length > 0) {
      own.headers = dropHeaders(options.headers as ExchangeOptions['headers'], this.#credentials)
    }
    return this.#dispatcher.dispatch(own, handler)
  }
}
