import type { Clock } from '@millrace/kit'

/** A clock that differs by less, in us, is taken to keep step: calls take their time. As in the scripts. */
const TOLERANCE = 1e6

/**
 * What a process knows of the store's clock, in us, from the answers that it had: it tells scripts when it was last answered, and by how
 * much the store's clock has been moved meanwhile itself.
 */
export class StoreTimeline {
  readonly #clock: Clock
  /** Since when the store knows of this limiter, as its clock was at first; 0 while it does not. */
  #since = 0
  /** When it was answered last, by the store's clock; 0 while it has not been. */
  answered = 0
  /** On the local clock, ms. */
  #answeredAt = 0
  /** By how much the store's clock has been moved in all: what is remembered of it is kept as it was at first. */
  shift = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The first arguments of every script. @param now when it is sent, ms on the local clock */
  args(now: number): [since: number, answered: number, elapsed: number] {
    if (this.answered === 0) return [0, 0, 0]
    return [this.#since + this.shift, this.answered, (now - this.#answeredAt) * 1_000]
  }

  /**
   * Notes what an answer says.
   *
   * @param sent when the call was made, ms on the local clock
   * @returns the present time on the local clock
   */
  note(now: number, since: number, sent: number): number {
    const local = this.#clock.now()
    if (this.answered === 0) this.#since = since
    else {
      const least = now - this.answered - (local - this.#answeredAt) * 1_000
      const most = now - this.answered - (sent - this.#answeredAt) * 1_000
      if (most < -TOLERANCE) this.shift += most
      else if (least > TOLERANCE) this.shift += least
    }
    this.answered = now
    this.#answeredAt = local
    return local
  }
}
