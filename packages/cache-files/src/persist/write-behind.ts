import type { Clock, Timer } from '@millrace/cache-core'
import type { StoreItem } from '@millrace/cache-core/store'

/** As many values are written together at most, and a full batch does not wait. */
const BATCH = 256

/** Collects values and writes them together, after a delay that does not keep the process alive. */
export class WriteBehind<T> {
  readonly #write: (items: StoreItem<T>[]) => Promise<unknown>
  readonly #delay: number
  readonly #clock: Clock
  #waiting: StoreItem<T>[] = []
  #timer: Timer | undefined
  /** The batches being written, one after the other. */
  #writing: Promise<unknown> = Promise.resolve()
  #inFlight = 0

  /** @param write must not reject */
  constructor(
    write: (items: StoreItem<T>[]) => Promise<unknown>,
    options: { readonly writeDelay: number; readonly clock: Clock },
  ) {
    this.#write = write
    this.#delay = options.writeDelay
    this.#clock = options.clock
  }

  /** Values that are not written yet. */
  get pending(): number {
    return this.#waiting.length + this.#inFlight
  }

  add(item: StoreItem<T>): void {
    this.#waiting.push(item)
    if (this.#waiting.length >= BATCH) {
      this.#start()
      return
    }
    this.#timer ??= this.#clock.setTimer(() => this.#start(), this.#delay)
  }

  /** Resolves when everything added so far is written. */
  async flush(): Promise<void> {
    this.#start()
    await this.#writing
  }

  #start(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const items = this.#waiting
    if (items.length === 0) return
    this.#waiting = []
    this.#inFlight += items.length
    this.#writing = this.#writing.then(async () => {
      await this.#write(items)
      this.#inFlight -= items.length
    })
  }
}
