import { checkMethods } from '@millrace/kit'

/** What hears of released permits; an ioredis `Redis` or `Cluster`, used for nothing else. */
export interface RedisSubscriber {
  subscribe(channel: string): Promise<unknown>
  on(event: 'message', listener: (channel: string) => void): unknown
  off(event: 'message', listener: (channel: string) => void): unknown
}

const METHODS = ['subscribe', 'on', 'off']

/** The news of permits that other processes have released. */
export class FreeChannel {
  readonly #subscriber: RedisSubscriber
  readonly #channel: string
  readonly #onFree: () => void
  #subscribed = false

  /** @throws {InvalidOptionError} for what is no subscriber */
  constructor(subscriber: RedisSubscriber, channel: string, onFree: () => void) {
    this.#subscriber = checkMethods('subscriber', subscriber, 'an ioredis client', METHODS)
    this.#channel = channel
    this.#onFree = onFree
  }

  /** Listens from now on. It is not waited for: until it is heard the store is polled. */
  open(): void {
    if (this.#subscribed) return
    this.#subscribed = true
    this.#subscriber.on('message', this.#onMessage)
    this.#subscriber.subscribe(this.#channel).then(
      // What was released before is asked for now.
      this.#onFree,
      // Without it permits are found by polling; the next caller tries again.
      () => this.close(),
    )
  }

  close(): void {
    this.#subscribed = false
    this.#subscriber.off('message', this.#onMessage)
  }

  readonly #onMessage = (channel: string): void => {
    if (channel === this.#channel) this.#onFree()
  }
}
