import type { Clock, Timer } from '@millrace/cache-core'
import { RedisTimeoutError, RedisUnavailableError, type UnavailableReason } from '../errors.ts'
import type { Client } from './client.ts'

/** How a call of Redis ended that was not answered as asked. */
export type CallFailure = RedisTimeoutError | RedisUnavailableError

/** Why a call was not answered as asked. */
export interface Failure {
  readonly reason: UnavailableReason
  readonly cause: unknown
}

/** What a {@link Call} needs of its connection. */
export interface CallOwner {
  readonly client: Client
  readonly clock: Clock
  /** How many connections there have been. */
  readonly sessions: number
  /** ms that a call of so many bytes may take which begins now. */
  timeoutFor(bytes: number): number
  /** Bytes begin to be under way, or, below 0, cease to be. */
  carry(bytes: number): void
  onSent(): void
  onTimeout(operations: number): void
  onSuccess(): void
  /** @param sent whether there was a connection to send them on */
  onFailure(operations: number, cause: unknown, sent: boolean): Failure
}

/** ms by which a timer must be late to show that the event loop was held up, and not Redis. */
const HELD_UP = 20

/**
 * One call of Redis for one or more operations, which ends once: with a reply, an error, or at its timeout, which runs from the moment
 * that the first operation asks for it.
 */
export class Call<T> {
  readonly #owner: CallOwner
  readonly #failed: (errorOf: (operation: string) => CallFailure) => void
  #timeout: number
  #timer: Timer
  #operations = 0
  #bytes = 0
  #sent = false
  #settled = false

  /** @param failed its argument makes an operation's own error */
  constructor(owner: CallOwner, failed: (errorOf: (operation: string) => CallFailure) => void) {
    this.#owner = owner
    this.#failed = failed
    this.#timeout = owner.timeoutFor(0)
    this.#timer = this.#setTimer(this.#timeout)
  }

  get bytes(): number {
    return this.#bytes
  }

  get settled(): boolean {
    return this.#settled
  }

  /** One more operation, of so many bytes. */
  add(bytes: number): void {
    this.#operations++
    this.#bytes += bytes
    if (bytes === 0) return
    this.#owner.carry(bytes)
    const timeout = this.#owner.timeoutFor(0)
    // A thousandth more is not worth another timer.
    if (timeout < this.#timeout * 1.001) return
    this.#timer.cancel()
    this.#timer = this.#setTimer(timeout)
    this.#timeout = timeout
  }

  send(work: (client: Client) => Promise<T>, succeed: (result: T) => void): void {
    if (this.#settled) return
    this.#sent = true
    const owner = this.#owner
    owner.onSent()
    // Without a connection it waits for the next one within the client.
    const before = owner.client.status === 'ready' ? -1 : owner.sessions
    work(owner.client).then(
      result => {
        if (!this.#settle()) return
        owner.onSuccess()
        succeed(result)
      },
      cause => {
        if (!this.#settle()) return
        const { reason, ...why } = owner.onFailure(
          this.#operations,
          cause,
          before !== owner.sessions,
        )
        this.#failed(operation => new RedisUnavailableError(operation, reason, why))
      },
    )
  }

  #setTimer(delay: number): Timer {
    const { clock } = this.#owner
    const due = clock.now() + delay
    return clock.setTimer(() => {
      if (clock.now() - due < HELD_UP) this.#giveUp()
      // Redis was not asked yet, so that it has all its time.
      else if (!this.#sent) this.#timer = this.#setTimer(delay)
      // Timers come before sockets: its answer may lie there.
      else setImmediate(() => this.#giveUp())
    }, delay)
  }

  #giveUp(): void {
    if (!this.#settle()) return
    this.#owner.onTimeout(this.#operations)
    this.#failed(operation => new RedisTimeoutError(operation, this.#timeout))
  }

  #settle(): boolean {
    if (this.#settled) return false
    this.#settled = true
    this.#timer.cancel()
    this.#owner.carry(-this.#bytes)
    return true
  }
}
