import { AsyncResource } from 'node:async_hooks'
import type { Clock } from '@millrace/kit'
import { type AttemptMessage, type AttemptReason, attemptChannels } from '../channels.ts'
import type { ExchangeOptions } from '../request/exchange-options.ts'

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }

/** What the channels are told of one attempt. Made only while a channel has a listener. */
export class AttemptTrace {
  readonly message: AttemptMessage
  /** The context that subscribers bound; an attempt that waits continues in it. */
  scope: AsyncResource | undefined
  readonly #phases: Mutable<AttemptMessage['phases']> = {}
  readonly #clock: Clock
  #phaseStart: number

  constructor(
    { method, path }: ExchangeOptions,
    origin: string,
    number: number,
    reason: AttemptReason,
    clock: Clock,
  ) {
    this.message = { method, origin, path, attempt: number, reason, phases: this.#phases }
    this.#clock = clock
    this.#phaseStart = clock.now()
  }

  /** Announces the attempt and runs `begin` in the context that subscribers bind. */
  start(begin: () => void): void {
    attemptChannels.start.runStores(this.message, () => {
      this.scope = new AsyncResource('MillraceHttpAttempt')
      begin()
    })
  }

  onSent(connectDuration: number, reused: boolean): void {
    const { message } = this
    const waited = this.#passed()
    this.#phases.connect = Math.min(waited, connectDuration)
    this.#phases.queue = waited - this.#phases.connect
    message.reused = reused
  }

  onHeaders(statusCode: number): void {
    this.message.statusCode = statusCode
    this.#phases.ttfb = this.#passed()
  }

  end(error: Error | undefined): void {
    if (this.message.statusCode !== undefined) this.#phases.body = this.#passed()
    if (error !== undefined) this.message.error = error
    attemptChannels.end.publish(this.message)
  }

  #passed(): number {
    const start = this.#phaseStart
    this.#phaseStart = this.#clock.now()
    return this.#phaseStart - start
  }
}
