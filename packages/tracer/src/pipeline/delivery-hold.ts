import type { Clock, Timer } from '@millrace/kit'

/** Time between two looks at whether something is still to be delivered, in milliseconds. */
const PERIOD = 1_000

/**
 * Keeps a pipeline in memory, by a timer that is pending, until what was recorded is delivered: from then on a tracer that the program has
 * forgotten may be collected.
 */
export class DeliveryHold {
  readonly #clock: Clock
  readonly #owes: () => boolean
  #timer: Timer | null = null

  /** @param owes whether something is still to be delivered; it refers to what is kept */
  constructor(clock: Clock, owes: () => boolean) {
    this.#clock = clock
    this.#owes = owes
  }

  /** Something was recorded. Hot: called for every span that ends. */
  begin(): void {
    if (this.#timer === null) this.#keep()
  }

  /** Lets go. */
  end(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #keep(): void {
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = null
      if (this.#owes()) this.#keep()
    }, PERIOD)
  }
}
