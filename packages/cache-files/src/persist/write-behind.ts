import type { Clock, Timer } from '@millrace/cache-core'

/** As many values are written together at most. */
const BATCH = 1_024
/** So many that wait do not wait any longer. */
const FULL = 8_192

/** Collects values and writes them together, after a delay that does not keep the process alive. Of several for a key the last is written. */
export class WriteBehind<T> {
  readonly #write: (items: [key: string, value: T][]) => Promise<unknown>
  readonly #delay: number
  readonly #clock: Clock
  #waiting = new Map<string, T>()
  #timer: Timer | undefined
  /** The batches being written, one after the other. */
  #writing: Promise<unknown> = Promise.resolve()
  #inFlight = 0

  /** @param write must not reject */
  constructor(
    write: (items: [key: string, value: T][]) => Promise<unknown>,
    options: { readonly writeDelay: number; readonly clock: Clock },
  ) {
    this.#write = write
    this.#delay = options.writeDelay
    this.#clock = options.clock
  }

  /** Values that are not written yet. */
  get pending(): number {
    return this.#waiting.size + this.#inFlight
  }

  /** The value that waits for the key. */
  get(key: string): T | undefined {
    return this.#waiting.get(key)
  }

  add(key: string, value: T): void {
    this.#waiting.set(key, value)
    if (this.#waiting.size >= FULL) this.#start()
    else this.#timer ??= this.#clock.setTimer(() => this.#start(), this.#delay)
  }

  /** Resolves when everything added so far is written. */
  async flush(): Promise<void> {
    this.#start()
    await this.#writing
  }

  #start(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#waiting.size === 0) return
    const items = [...this.#waiting]
    this.#waiting = new Map()
    this.#inFlight += items.length
    for (let at = 0; at < items.length; at += BATCH) {
      const batch = items.slice(at, at + BATCH)
      this.#writing = this.#writing.then(async () => {
        await this.#write(batch)
        this.#inFlight -= batch.length
      })
    }
  }
}
