/** How often it is looked, in ms. */
const INTERVAL = 20

/** Watches how long this process gets no turn, as on a machine that stands still. */
export class Standstill {
  readonly #timer: NodeJS.Timeout
  #last: number = performance.now()
  #longest = 0

  constructor() {
    this.#timer = setInterval(() => this.#look(), INTERVAL).unref()
  }

  /** The longest time without a turn since the start, or since {@link restart}, in ms; that until now included. */
  get longest(): number {
    this.#look()
    return this.#longest
  }

  restart(): void {
    this.#last = performance.now()
    this.#longest = 0
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const now = performance.now()
    this.#longest = Math.max(this.#longest, now - this.#last - INTERVAL)
    this.#last = now
  }
}
